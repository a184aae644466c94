// SPDX-License-Identifier: Apache-2.0
//
// Where descriptors come from and where they end.
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>

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
constinit Real<int (*)(int, file_handle*, int)> real_open_by_handle_at("open_by_handle_at");
constinit Real<decltype(&::memfd_create)> real_memfd_create("memfd_create");
constinit Real<decltype(&::shm_open)> real_shm_open("shm_open");
constinit Real<int (*)(unsigned, unsigned, int)> real_close_range("close_range");
constinit Real<void (*)(int)> real_closefrom("closefrom");
constinit Real<int (*)(int, int, void*)> real_fcntl("fcntl");
constinit Real<decltype(&::inotify_init)> real_inotify_init("inotify_init");
constinit Real<decltype(&::inotify_init1)> real_inotify_init1("inotify_init1");
constinit Real<decltype(&::fanotify_init)> real_fanotify_init("fanotify_init");
constinit Real<int (*)(pid_t, unsigned)> real_pidfd_open("pidfd_open");
constinit Real<int (*)(int, int, unsigned)> real_pidfd_getfd("pidfd_getfd");
constinit Real<int (*)(const char*, int, mode_t, void*)> real_mq_open("mq_open", "GLIBC_2.34");
constinit Real<decltype(&::posix_openpt)> real_posix_openpt("posix_openpt");
constinit Real<decltype(&::getpt)> real_getpt("getpt");
constinit Real<decltype(&::openpty)> real_openpty("openpty", "GLIBC_2.34");

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

void closing(int descriptor, Address pc) {
  timerfd_closing(descriptor);
  descriptor_closing(descriptor, pc);
}

bool is_open(int descriptor) { return raw_syscall(SYS_fcntl, descriptor, F_GETFD) >= 0; }

void closing_from(int first, unsigned last, Address pc) {
  const auto end = static_cast<int>(last < kDescriptorsMax ? last + 1 : kDescriptorsMax);
  for (int descriptor = first; descriptor < end; ++descriptor) {
    if (is_open(descriptor)) closing(descriptor, pc);
  }
}

// dup2 and dup3: whether `to` begins a life or goes on with another one.
template <class Duplicate>
int duplicated_to(int from, int to, Address pc, Duplicate real) {
  const bool replaces = is_open(to);
  const int result = real();
  if (result >= 0 && from != to) {
    replaces ? descriptor_replaced(from, to, pc) : descriptor_duplicated(from, to, pc);
  }
  descriptors_changed();
  return result;
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

VIGIL_INTERCEPTOR int openat64(int folder, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_openat(folder, path, flags | O_LARGEFILE, mode), DescriptorKind::kFile,
                VIGIL_CALLER_PC);
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

VIGIL_INTERCEPTOR int creat64(const char* path, mode_t mode) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_creat(path, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int open_by_handle_at(int mount, file_handle* handle, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_open_by_handle_at(mount, handle, flags), DescriptorKind::kFile,
                VIGIL_CALLER_PC);
}

// The four that name a temporary file, each with its name for large files.
// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are lists with their own.
#define VIGIL_TEMPORARY_FILE(name, parameters, arguments)                  \
  VIGIL_INTERCEPTOR int name parameters {                                  \
    static constinit Real<int(*) parameters> real(#name);                  \
    const FrameScope frame(VIGIL_CALLER_PC);                               \
    return opened(real arguments, DescriptorKind::kFile, VIGIL_CALLER_PC); \
  }
// NOLINTEND(bugprone-macro-parentheses)
VIGIL_TEMPORARY_FILE(mkstemp, (char* path), (path))
VIGIL_TEMPORARY_FILE(mkstemp64, (char* path), (path))
VIGIL_TEMPORARY_FILE(mkostemp, (char* path, int flags), (path, flags))
VIGIL_TEMPORARY_FILE(mkostemp64, (char* path, int flags), (path, flags))
VIGIL_TEMPORARY_FILE(mkstemps, (char* path, int suffix), (path, suffix))
VIGIL_TEMPORARY_FILE(mkstemps64, (char* path, int suffix), (path, suffix))
VIGIL_TEMPORARY_FILE(mkostemps, (char* path, int suffix, int flags), (path, suffix, flags))
VIGIL_TEMPORARY_FILE(mkostemps64, (char* path, int suffix, int flags), (path, suffix, flags))

VIGIL_INTERCEPTOR int memfd_create(const char* name, unsigned flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_memfd_create(name, flags), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int shm_open(const char* name, int flags, mode_t mode) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_shm_open(name, flags, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
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
  closing(descriptor, VIGIL_CALLER_PC);
  const int result = real_close(descriptor);
  descriptors_changed();
  return result;
}

VIGIL_INTERCEPTOR int close_range(unsigned first, unsigned last, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  if ((static_cast<unsigned>(flags) & CLOSE_RANGE_CLOEXEC) == 0) {
    closing_from(static_cast<int>(first), last, VIGIL_CALLER_PC);
  }
  const int result = real_close_range(first, last, flags);
  descriptors_changed();
  return result;
}

VIGIL_INTERCEPTOR void closefrom(int first) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  closing_from(first, ~0U, VIGIL_CALLER_PC);
  real_closefrom(first);
  descriptors_changed();
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
  return duplicated_to(from, to, VIGIL_CALLER_PC, [&] { return real_dup2(from, to); });
}

VIGIL_INTERCEPTOR int dup3(int from, int to, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return duplicated_to(from, to, VIGIL_CALLER_PC, [&] { return real_dup3(from, to, flags); });
}

namespace {

// fcntl takes an argument that fits a register, of whatever type.
int control(int descriptor, int command, void* argument, Address pc) {
  const FrameScope frame(pc);
  if (command == F_SETLKW || command == F_OFD_SETLKW) {
    const SignalsAtOnce signals;
    return real_fcntl(descriptor, command, argument);
  }
  const int result = real_fcntl(descriptor, command, argument);
  const bool copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
  return copies ? duplicated(descriptor, result, pc) : result;
}

}  // namespace

VIGIL_INTERCEPTOR int fcntl(int descriptor, int command, ...) {
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  return control(descriptor, command, argument, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int fcntl64(int descriptor, int command, ...) {
  va_list list;
  va_start(list, command);
  void* const argument = va_arg(list, void*);
  va_end(list);
  return control(descriptor, command, argument, VIGIL_CALLER_PC);
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

VIGIL_INTERCEPTOR int inotify_init() noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_inotify_init(), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int inotify_init1(int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_inotify_init1(flags), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int fanotify_init(unsigned flags, unsigned event_flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_fanotify_init(flags, event_flags), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pidfd_open(pid_t process, unsigned flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_pidfd_open(process, flags), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pidfd_getfd(int process, int descriptor, unsigned flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_pidfd_getfd(process, descriptor, flags), DescriptorKind::kUnknown,
                VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int mq_open(const char* name, int flags, ...) noexcept {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  void* const attributes = va_arg(list, void*);
  va_end(list);
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_mq_open(name, flags, mode, attributes), DescriptorKind::kOutside,
                VIGIL_CALLER_PC);
}

// ---- terminals

VIGIL_INTERCEPTOR int posix_openpt(int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_posix_openpt(flags), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int getpt() {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_getpt(), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int openpty(int* master, int* slave, char* name, const termios* settings,
                              const winsize* size) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  const int result = real_openpty(master, slave, name, settings, size);
  if (result == 0) descriptors_opened(*master, *slave, DescriptorKind::kOutside, VIGIL_CALLER_PC);
  return result;
}

// ---- groups of descriptors

VIGIL_INTERCEPTOR int epoll_create(int size) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_epoll_create(size), DescriptorKind::kEpoll, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int epoll_create1(int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_epoll_create1(flags), DescriptorKind::kEpoll, VIGIL_CALLER_PC);
}

}  // namespace vigil::race
