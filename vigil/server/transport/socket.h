// SPDX-License-Identifier: Apache-2.0
//
// The few socket operations the server needs, with errors as sentences.
//
// Thread safety: a FileDescriptor is a plain move-only value; the functions are reentrant.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "vigil/base/result.h"

namespace vigil::server {

// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// A non-blocking listening socket on a numeric IPv4 or IPv6 address; port 0 picks a free one.
Result<FileDescriptor> listen_on(const std::string& address, std::uint16_t port, int backlog);

[[nodiscard]] std::uint16_t local_port(int fd);
// "127.0.0.1:6390" or "[::1]:6390"; "?:0" if the socket is not connected.
[[nodiscard]] std::string local_address(int fd);
[[nodiscard]] std::string peer_address(int fd);

void set_no_delay(int fd);

// Raises the soft limit of open files to `wanted` or as far as the system allows; returns the
// limit that holds now.
std::uint64_t raise_open_file_limit(std::uint64_t wanted);

}  // namespace vigil::server
