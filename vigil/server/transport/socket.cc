// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/transport/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>

namespace vigil::server {

namespace {

std::string error_text(int error) { return std::generic_category().message(error); }

// A numeric address with a port, ready for bind().
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// IPv4 in the form of IPv6 ("::ffff:127.0.0.1") is taken for what it stands for: a listener of IPv6
// takes nothing else.
bool parse_address(const std::string& address, std::uint16_t port, SocketAddress* result) {
  constexpr std::size_t kMappedPrefix = 12;  // bytes
  sockaddr_in v4{};
  in6_addr mapped{};
  bool is_v4 = inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, address.c_str(), &mapped) == 1 &&
      IN6_IS_ADDR_V4MAPPED(&mapped)) {
    std::memcpy(&v4.sin_addr, mapped.s6_addr + kMappedPrefix, sizeof(v4.sin_addr));
    is_v4 = true;
  }
  if (is_v4) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&result->storage, &v4, sizeof(v4));
    result->size = sizeof(v4);
    return true;
  }
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&result->storage, &v6, sizeof(v6));
    result->size = sizeof(v6);
    return true;
  }
  return false;
}

std::string format_address(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof(v6));
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return std::string("[") + text.data() + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  if (address.storage.ss_family == AF_UNIX) {
    sockaddr_un local{};
    std::memcpy(&local, &address.storage, sizeof(local));
    return std::string(local.sun_path, strnlen(local.sun_path, sizeof(local.sun_path))) + ":0";
  }
  return "?:0";
}

// Whether a server answers at the path; errno says why not.
bool is_served(const sockaddr_un& address) {
  const FileDescriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(probe.get(), name, sizeof(address)) == 0 || errno == EAGAIN;
}

}  // namespace

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<FileDescriptor> listen_on(const std::string& address, std::uint16_t port, int backlog) {
  SocketAddress wanted;
  if (!parse_address(address, port, &wanted)) {
    return Error{"bind address '" + address + "' is not a numeric IPv4 or IPv6 address"};
  }
  const auto failure = [&](const char* step) {
    return Error{"cannot listen on " + format_address(wanted) + ": " + step + ": " +
                 error_text(errno)};
  };
  FileDescriptor fd(
      ::socket(wanted.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return failure("socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (wanted.storage.ss_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (::bind(fd.get(), wanted.get(), wanted.size) != 0) return failure("bind");
  if (::listen(fd.get(), backlog) != 0) return failure("listen");
  return fd;
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

SocketFile::~SocketFile() {
  struct stat status {};
  if (path_.empty() || ::stat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

Result<UnixListener> listen_on_path(const std::string& path, int backlog) {
  const auto failure = [&](const std::string& why) {
    return Error{"cannot listen on " + path + ": " + why};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return failure("the path is longer than " + std::to_string(sizeof(address.sun_path) - 1) +
                   " bytes");
  }
  path.copy(address.sun_path, path.size());
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return failure("a file that is no socket is there");
    if (is_served(address)) return failure("another server listens there");
    ::unlink(path.c_str());
  }
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return failure("socket: " + error_text(errno));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return failure("bind: " + error_text(errno));
  }
  SocketFile file(path);
  if (::listen(socket.get(), backlog) != 0) return failure("listen: " + error_text(errno));
  return UnixListener{std::move(socket), std::move(file)};
}

std::string local_address(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getsockname(fd, address.get(), &address.size) != 0) return "?:0";
  return format_address(address);
}

std::string peer_address(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getpeername(fd, address.get(), &address.size) != 0) return "?:0";
  if (address.storage.ss_family == AF_UNIX) return local_address(fd);  // clients have no name
  return format_address(address);
}

std::uint16_t local_port(int fd) {
  const std::string address = local_address(fd);
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

TransferResult transfer_failed(ssize_t size) {
  if (size == 0) return {Transfer::kEnd, 0};
  return {errno == EAGAIN ? Transfer::kWouldBlock : Transfer::kFailed, 0};
}

std::uint64_t raise_open_file_limit(std::uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace vigil::server
