// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vigil::tools::input {

namespace {

// The standard input may be a socket, which has no path to be opened by.
int open_descriptor(const std::string& path) {
  if (path == "-" || path == "/dev/stdin") return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::open(const std::string& path) {
  const int descriptor = open_descriptor(path);
  if (descriptor < 0) return Error{std::strerror(errno)};
  std::unique_ptr<FileSource> source(new FileSource(descriptor, 0));
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return Error{std::strerror(errno)};
  if (S_ISDIR(status.st_mode)) return Error{"is a folder"};
  // /dev/zero never ends, and what /dev/kmsg gives was nobody's log.
  const bool is_device = S_ISBLK(status.st_mode) || S_ISCHR(status.st_mode);
  if (is_device && isatty(descriptor) == 0) return Error{"is a device: no file, pipe or terminal"};
  if (S_ISREG(status.st_mode)) source->size_ = static_cast<std::uint64_t>(status.st_size);
  return source;
}

FileSource::~FileSource() { close(descriptor_); }

Result<std::string_view> FileSource::read() {
  piece_.resize(kPieceBytes);
  ssize_t got = 0;
  do {
    got = ::read(descriptor_, piece_.data(), piece_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Error{"cannot be read to its end: " + std::string(std::strerror(errno))};
  return std::string_view(piece_.data(), static_cast<std::size_t>(got));
}

Result<std::string_view> StreamSource::read() {
  piece_.resize(kPieceBytes);
  stream_.read(piece_.data(), static_cast<std::streamsize>(piece_.size()));
  if (stream_.bad()) return Error{"cannot be read to its end"};
  return std::string_view(piece_.data(), static_cast<std::size_t>(stream_.gcount()));
}

std::string_view HeadedSource::head() {
  while (head_.size() < kHeadBytes && !is_at_end_ && !error_) {
    const Result<std::string_view> piece = source_.read();
    if (!piece) {
      error_ = piece.error();
    } else {
      is_at_end_ = piece->empty();
      head_.append(*piece);
    }
  }
  has_head_ = true;
  return head_;
}

Result<std::string_view> HeadedSource::read() {
  if (has_head_ && !head_.empty()) {
    has_head_ = false;
    return std::string_view(head_);
  }
  if (error_) return *error_;
  if (is_at_end_) return std::string_view();
  return source_.read();
}

}  // namespace vigil::tools::input
