// SPDX-License-Identifier: Apache-2.0
//
// The few socket operations the server needs, with errors as sentences.
//
// Thread safety: a FileDescriptor is a plain move-only value; the functions are thread-safe.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
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

// The file of a listening Unix socket, which goes away with this object, if it is still that
// socket's.
class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::string path);
  ~SocketFile();
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  SocketFile& operator=(SocketFile&&) = delete;

 private:
  std::string path_;  // empty: none
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

struct UnixListener {
  FileDescriptor socket;
  SocketFile file;
};
// A listening Unix socket. A file of a server that is gone is replaced; one that somebody listens
// on, or that is no socket, is not.
Result<UnixListener> listen_on_path(const std::string& path, int backlog);

// 0: not a socket of the internet.
[[nodiscard]] std::uint16_t local_port(int fd);
// "127.0.0.1:6390" or "[::1]:6390", "/run/vigild.sock:0" of a Unix socket, for both its ends; "?:0"
// if the socket is not connected.
[[nodiscard]] std::string local_address(int fd);
[[nodiscard]] std::string peer_address(int fd);

void set_no_delay(int fd);

// What one transfer over a non-blocking socket did.
enum class Transfer : std::uint8_t {
  kMoved,       // `bytes` were moved, at least one
  kWouldBlock,  // nothing now; the socket says when to try again
  kEnd,         // receiving only: the peer has sent its last byte
  kFailed,      // the connection is broken
};
struct TransferResult {
  Transfer outcome = Transfer::kWouldBlock;
  std::size_t bytes = 0;
};
// The result of a system call that has just returned `size`, which is not positive.
[[nodiscard]] TransferResult transfer_failed(ssize_t size);
// The same for any size.
[[nodiscard]] inline TransferResult transferred(ssize_t size) {
  if (size > 0) [[likely]]
    return {Transfer::kMoved, static_cast<std::size_t>(size)};
  return transfer_failed(size);
}

// The two transfers are inline: a connection does both for each batch of requests.

// REQUIRES: size != 0.
[[nodiscard]] inline TransferResult receive_some(int fd, char* buffer, std::size_t size) {
  ssize_t received = 0;
  do {
    received = ::recv(fd, buffer, size, 0);
  } while (received < 0 && errno == EINTR);
  return transferred(received);
}
// REQUIRES: !bytes.empty().
[[nodiscard]] inline TransferResult send_some(int fd, std::string_view bytes) {
  ssize_t sent = 0;
  do {
    sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return transferred(sent);
}

// Raises the soft limit of open files to `wanted` or as far as the system allows; returns the
// limit that holds now.
std::uint64_t raise_open_file_limit(std::uint64_t wanted);

}  // namespace vigil::server
