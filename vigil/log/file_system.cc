// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/file_system.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace vigil::log {
namespace {

// Orders are nobody else's business; a backup may belong to the group.
constexpr mode_t kNewFileMode = 0640;

// Calls until it was not interrupted.
template <class Call>
auto repeat_interrupted(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

int errno_of(int result) { return result < 0 ? errno : 0; }

// Drops `bytes` from the front of what is left to write.
std::span<iovec> without_front(std::span<iovec> vectors, std::size_t bytes) {
  while (!vectors.empty() && bytes >= vectors.front().iov_len) {
    bytes -= vectors.front().iov_len;
    vectors = vectors.subspan(1);
  }
  if (bytes > 0) {
    vectors.front().iov_base = static_cast<char*>(vectors.front().iov_base) + bytes;
    vectors.front().iov_len -= bytes;
  }
  return vectors;
}

class SystemFile final : public File {
 public:
  explicit SystemFile(int descriptor) : descriptor_(descriptor) {}
  ~SystemFile() override {
    if (direct_ >= 0) ::close(direct_);
    ::close(descriptor_);
  }

  int read(std::uint64_t offset, char* to, std::size_t bytes, std::size_t* count) override {
    *count = 0;
    while (*count < bytes) {
      const ssize_t size = repeat_interrupted([&] {
        return ::pread(descriptor_, to + *count, bytes - *count,
                       static_cast<off_t>(offset + *count));
      });
      if (size < 0) return errno;
      if (size == 0) break;
      *count += static_cast<std::size_t>(size);
    }
    return 0;
  }

  int write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    std::array<iovec, 256> vectors;
    while (!pieces.empty()) {
      const std::size_t count = std::min(pieces.size(), vectors.size());
      for (std::size_t i = 0; i < count; ++i) {
        vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
      }
      const int error = write_all({vectors.data(), count}, &offset);
      if (error != 0) return error;
      pieces = pieces.subspan(count);
    }
    return 0;
  }

  int write_direct(std::uint64_t offset, std::string_view blocks) override {
    if (!direct_tried_) open_direct();
    while (direct_ >= 0 && !blocks.empty()) {
      const ssize_t size = repeat_interrupted([&] {
        return ::pwrite(direct_, blocks.data(), blocks.size(), static_cast<off_t>(offset));
      });
      if (size < 0 && errno != EINVAL) return errno;
      // A file system with blocks of another size, or a short write that ends within a block.
      if (size <= 0 || static_cast<std::size_t>(size) % kBlockBytes != 0) break;
      offset += static_cast<std::uint64_t>(size);
      blocks.remove_prefix(static_cast<std::size_t>(size));
    }
    return blocks.empty() ? 0 : write(offset, {&blocks, 1});
  }

  int sync() override { return errno_of(::fdatasync(descriptor_)); }

  int truncate(std::uint64_t bytes) override {
    return errno_of(
        repeat_interrupted([&] { return ::ftruncate(descriptor_, static_cast<off_t>(bytes)); }));
  }

  int size(std::uint64_t* bytes) override {
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) return errno;
    *bytes = static_cast<std::uint64_t>(status.st_size);
    return 0;
  }

  int lock(LockKind kind) override {
    const int operation = (kind == LockKind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    return errno_of(repeat_interrupted([&] { return ::flock(descriptor_, operation); }));
  }

 private:
  int write_all(std::span<iovec> vectors, std::uint64_t* offset) {
    vectors = without_front(vectors, 0);
    while (!vectors.empty()) {
      const ssize_t size = repeat_interrupted([&] {
        return ::pwritev(descriptor_, vectors.data(), static_cast<int>(vectors.size()),
                         static_cast<off_t>(*offset));
      });
      if (size < 0) return errno;
      if (size == 0) return EIO;  // a disk that takes nothing and gives no reason
      *offset += static_cast<std::uint64_t>(size);
      vectors = without_front(vectors, static_cast<std::size_t>(size));
    }
    return 0;
  }

  // By the descriptor: the file may have another name by now. -1: it is not possible.
  void open_direct() {
    direct_tried_ = true;
    const std::string path = "/proc/self/fd/" + std::to_string(descriptor_);
    direct_ =
        repeat_interrupted([&] { return ::open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC); });
  }

  const int descriptor_;
  int direct_ = -1;
  bool direct_tried_ = false;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY | O_CLOEXEC;
    case OpenMode::kWrite:
      return O_RDWR | O_CLOEXEC;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

class SystemFiles final : public FileSystem {
 public:
  int open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) override {
    const int descriptor =
        repeat_interrupted([&] { return ::open(path.c_str(), flags_of(mode), kNewFileMode); });
    if (descriptor < 0) return errno;
    *file = std::make_unique<SystemFile>(descriptor);
    return 0;
  }

  int rename(const std::string& from, const std::string& to) override {
    return errno_of(std::rename(from.c_str(), to.c_str()));
  }

  int remove(const std::string& path) override { return errno_of(::unlink(path.c_str())); }

  int list(const std::string& path, std::vector<std::string>* names) override {
    names->clear();
    std::error_code error;
    std::filesystem::directory_iterator entry(path, error);
    while (!error && entry != std::filesystem::directory_iterator()) {
      names->push_back(entry->path().filename().string());
      entry.increment(error);
    }
    return error.value();
  }

  int make_directory(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    return error.value();
  }

  int sync_directory(const std::string& path) override {
    const int descriptor = repeat_interrupted(
        [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (descriptor < 0) return errno;
    const int error = errno_of(::fsync(descriptor));
    ::close(descriptor);
    return error;
  }
};

}  // namespace

FileSystem& system_files() {
  static SystemFiles files;
  return files;
}

Error describe(const std::string& path, std::string_view cannot_be, int error) {
  return Error{path + ": cannot be " + std::string(cannot_be) + ": " + std::strerror(error)};
}

}  // namespace vigil::log
