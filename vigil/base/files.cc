// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace vigil {
namespace {

constexpr mode_t kNewFileMode = 0666;  // less the umask
constexpr mode_t kPermissionBits = 07777;

class Descriptor {
 public:
  Descriptor(const char* path, int flags, mode_t mode = 0)
      : number_(::open(path, flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  [[nodiscard]] int number() const { return number_; }
  // A file system may report only here that it could not keep what was written.
  bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

Error unreadable(const std::string& path, std::string_view why) {
  return Error{path + ": cannot be read: " + std::string(why)};
}

Error unwritable(const std::string& path, int error) {
  return Error{path + ": cannot be written: " + std::strerror(error)};
}

std::string too_large(std::size_t bytes_max) {
  const std::size_t mebibytes = bytes_max >> 20;
  return "it holds more than " + (mebibytes != 0 ? std::to_string(mebibytes) + " MiB"
                                                 : std::to_string(bytes_max) + " bytes");
}

bool write_all(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// While a regular file is written, a signal that asks the program to end waits: it would leave a
// part of the content, or a file beside the target.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGQUIT}) sigaddset(&ending, signal);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~SignalsWait() {
    const int saved = errno;
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved;
  }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_{};
};

// A regular file gets its space before its old content goes: a full disk leaves that as it is.
bool overwrite(int file, std::string_view content) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) return write_all(file, content);
  const SignalsWait signals_wait;
  const auto size = static_cast<off_t>(content.size());
  if (size > status.st_size) {
    const int error = ::posix_fallocate(file, status.st_size, size - status.st_size);
    if (error != 0) {
      // What was added so far is no content.
      if (::ftruncate(file, status.st_size) == 0) errno = error;
      return false;
    }
  }
  return write_all(file, content) && ::ftruncate(file, size) == 0 && ::fsync(file) == 0;
}

Result<void> write_in_place(const std::string& path, std::string_view content) {
  Descriptor file(path.c_str(), O_WRONLY | O_CREAT, kNewFileMode);
  if (!file.is_open() || !overwrite(file.number(), content) || !file.close()) {
    return unwritable(path, errno);
  }
  return {};
}

// What was added is taken away again if not all of it could be.
bool append(int file, std::string_view content) {
  struct stat before {};
  if (::fstat(file, &before) != 0) return false;
  if (!S_ISREG(before.st_mode)) return write_all(file, content);
  const SignalsWait signals_wait;
  if (write_all(file, content)) return true;
  const int why = errno;
  const off_t end = ::lseek(file, 0, SEEK_CUR);
  struct stat after {};
  const bool is_last = ::fstat(file, &after) == 0 && end == after.st_size;
  if (is_last && ::ftruncate(file, before.st_size) != 0) return false;
  errno = why;
  return false;
}

// Why a folder may take no new file although the file in it can be written.
bool takes_no_new_file(int error) { return error == EACCES || error == EPERM || error == EROFS; }

// A file beside `target` that no one else has; the number tells apart files of one process.
std::string name_beside(const std::string& target, int number) {
  return target + "." + std::to_string(::getpid()) + "." + std::to_string(number) + ".new";
}

// Fills the new file and puts it in place of `target`. On failure errno says why.
bool replace(Descriptor* file, const std::string& beside, const std::string& target,
             const struct stat* old, std::string_view content) {
  if (old != nullptr && ::fchmod(file->number(), old->st_mode & kPermissionBits) != 0) return false;
  return write_all(file->number(), content) && ::fsync(file->number()) == 0 && file->close() &&
         std::rename(beside.c_str(), target.c_str()) == 0;
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(path.c_str(), O_RDONLY);
  struct stat status {};
  if (!file.is_open() || ::fstat(file.number(), &status) != 0) {
    return unreadable(path, std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) return unreadable(path, std::strerror(EISDIR));
  // The size is a guess: files of /proc have none, a pipe has no end yet.
  constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
  const auto expected = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  if (S_ISREG(status.st_mode) && expected > bytes_max) {
    return unreadable(path, too_large(bytes_max));
  }
  std::string content;
  std::size_t size = 0;
  for (;;) {
    if (size == content.size()) content.resize(std::max(expected + 1, size + kPieceBytes));
    const ssize_t count = ::read(file.number(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path, std::strerror(errno));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (size > bytes_max) return unreadable(path, too_large(bytes_max));
  }
  content.resize(size);
  return content;
}

Result<void> write_file(const std::string& path, std::string_view content) {
  constexpr int kNamesMax = 100;
  std::error_code error;
  const std::filesystem::path resolved = std::filesystem::canonical(path, error);
  const std::string target = error ? path : resolved.string();
  struct stat old {};
  const bool exists = ::stat(target.c_str(), &old) == 0;
  const bool is_replaceable = exists ? S_ISREG(old.st_mode) : !std::filesystem::is_symlink(path);
  if (!is_replaceable) return write_in_place(path, content);
  if (exists && ::access(target.c_str(), W_OK) != 0) return unwritable(path, errno);
  const SignalsWait signals_wait;
  for (int number = 0; number < kNamesMax; ++number) {
    const std::string beside = name_beside(target, number);
    Descriptor file(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL, kNewFileMode);
    if (!file.is_open() && errno == EEXIST) continue;
    if (!file.is_open() && takes_no_new_file(errno)) break;
    if (!file.is_open()) return unwritable(path, errno);
    if (replace(&file, beside, target, exists ? &old : nullptr, content)) return {};
    const int why = errno;
    ::unlink(beside.c_str());
    return unwritable(path, why);
  }
  return write_in_place(path, content);
}

Result<void> append_file(const std::string& path, std::string_view content) {
  Descriptor file(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, kNewFileMode);
  if (!file.is_open() || !append(file.number(), content) || !file.close()) {
    return unwritable(path, errno);
  }
  return {};
}

}  // namespace vigil
