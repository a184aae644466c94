// SPDX-License-Identifier: Apache-2.0
//
// Where descriptors come from and where they end.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/timers.h"

namespace vigil::race {
namespace {

constinit Real<int (*)(const char*, int, ...)> real_open("open");
constinit Real<int (*)(int, const char*, int, ...)> real_openat("openat");
constinit Real<decltype(&::creat)> real_creat("creat");
constinit Real<decltype(&::close)> real_close("close");
constinit Real<decltype(&::pipe)> real_pipe("pipe");
constinit Real<decltype(&::pipe2)> real_pipe2("pipe2");
constinit Real<decltype(&::dup)> real_dup("dup");
constinit Real<decltype(&::dup2)> real_dup2("dup2");
constinit Real<decltype(&::dup3)> real_dup3("dup3");
constinit Real<decltype(&::socket)> real_socket("socket");
constinit Real<decltype(&::socketpair)> real_socketpair("socketpair");
constinit Real<decltype(&::accept)> real_accept("accept");
constinit Real<decltype(&::accept4)> real_accept4("accept4");
constinit Real<decltype(&::connect)> real_connect("connect");
constinit Real<decltype(&::bind)> real_bind("bind");
constinit Real<decltype(&::listen)> real_listen("listen");
constinit Real<decltype(&::shutdown)> real_shutdown("shutdown");
constinit Real<decltype(&::eventfd)> real_eventfd("eventfd");
constinit Real<decltype(&::epoll_create)> real_epoll_create("epoll_create");
constinit Real<decltype(&::epoll_create1)> real_epoll_create1("epoll_create1");
constinit Real<decltype(&::fsync)> real_fsync("fsync");

// Connecting happens before accepting, over any socket.
struct State {
  alignas(8) char connections[8];
};
constinit State state = {};

int opened(int descriptor, DescriptorKind kind, Address pc) {
  if (descriptor >= 0) descriptor_opened(descriptor, kind, pc);
  return descriptor;
}

int opened_pair(int result, const int* pair, DescriptorKind kind, Address pc) {
  if (result == 0) descriptors_opened(pair[0], pair[1], kind, pc);
  return result;
}

int duplicated(int from, int to, Address pc) {
  if (to >= 0) descriptor_duplicated(from, to, pc);
  descriptors_changed();
  return to;
}

}  // namespace

// ---- files

VIGIL_INTERCEPTOR int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_open(path, flags, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_open(path, flags | O_LARGEFILE, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int openat(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_openat(folder, path, flags, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int creat(const char* path, mode_t mode) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_creat(path, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int fsync(int descriptor) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  descriptor_used(descriptor, VIGIL_CALLER_PC);
  return real_fsync(descriptor);
}

VIGIL_INTERCEPTOR int close(int descriptor) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  timerfd_closing(descriptor);
  descriptor_closing(descriptor, VIGIL_CALLER_PC);
  const int result = real_close(descriptor);
  descriptors_changed();
  return result;
}

// ---- pairs and copies

VIGIL_INTERCEPTOR int pipe(int* pair) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened_pair(real_pipe(pair), pair, DescriptorKind::kPipe, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pipe2(int* pair, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened_pair(real_pipe2(pair, flags), pair, DescriptorKind::kPipe, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int socketpair(int domain, int type, int protocol, int* pair) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened_pair(real_socketpair(domain, type, protocol, pair), pair,
                     DescriptorKind::kSocketPair, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int dup(int from) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return duplicated(from, real_dup(from), VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int dup2(int from, int to) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return duplicated(from, real_dup2(from, to), VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int dup3(int from, int to, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return duplicated(from, real_dup3(from, to, flags), VIGIL_CALLER_PC);
}

// ---- sockets

VIGIL_INTERCEPTOR int socket(int domain, int type, int protocol) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_socket(domain, type, protocol), DescriptorKind::kSocket, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int bind(int descriptor, const sockaddr* address, socklen_t size) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  descriptor_used(descriptor, VIGIL_CALLER_PC);
  return real_bind(descriptor, address, size);
}

VIGIL_INTERCEPTOR int listen(int descriptor, int backlog) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  descriptor_used(descriptor, VIGIL_CALLER_PC);
  const int result = real_listen(descriptor, backlog);
  descriptors_changed();
  return result;
}

VIGIL_INTERCEPTOR int connect(int descriptor, const sockaddr* address, socklen_t size) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  descriptor_writing(descriptor, VIGIL_CALLER_PC);
  release_merge(state.connections);
  int result = 0;
  {
    const SignalsAtOnce signals;
    result = real_connect(descriptor, address, size);
  }
  descriptors_changed();
  return result;
}

namespace {

template <class RealAccept>
int accept_from(int descriptor, Address pc, RealAccept real) {
  if (!wait_for_descriptor(descriptor, POLLIN, "accept")) return -1;
  descriptor_used(descriptor, pc);
  int accepted = 0;
  {
    const SignalsAtOnce signals;
    accepted = real();
  }
  if (accepted < 0) return accepted;
  descriptor_opened(accepted, DescriptorKind::kSocket, pc);
  descriptor_read(descriptor, pc);
  acquire(state.connections);
  descriptors_changed();
  return accepted;
}

}  // namespace

VIGIL_INTERCEPTOR int accept(int descriptor, sockaddr* address, socklen_t* size) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return accept_from(descriptor, VIGIL_CALLER_PC,
                     [&] { return real_accept(descriptor, address, size); });
}

VIGIL_INTERCEPTOR int accept4(int descriptor, sockaddr* address, socklen_t* size, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return accept_from(descriptor, VIGIL_CALLER_PC,
                     [&] { return real_accept4(descriptor, address, size, flags); });
}

VIGIL_INTERCEPTOR int shutdown(int descriptor, int how) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  descriptor_writing(descriptor, VIGIL_CALLER_PC);
  const int result = real_shutdown(descriptor, how);
  descriptors_changed();
  return result;
}

// ---- event descriptors

VIGIL_INTERCEPTOR int eventfd(unsigned count, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_eventfd(count, flags), DescriptorKind::kEvent, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int epoll_create(int size) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_epoll_create(size), DescriptorKind::kEpoll, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int epoll_create1(int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_epoll_create1(flags), DescriptorKind::kEpoll, VIGIL_CALLER_PC);
}

}  // namespace vigil::race
