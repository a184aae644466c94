// SPDX-License-Identifier: Apache-2.0
//
// Every call of the system that gives a descriptor, by two threads at once that close theirs again:
// the kernel gives the same numbers to both, one after the other, and that is no race.
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // not for C++ in glibc 2.36
}

#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "tests/races/platform/checks.h"

namespace {

constexpr int kTurns = 8;

void close_one(int descriptor) {
  // Not everything may be made everywhere: a container forbids some.
  if (descriptor >= 0) EXPECT(close(descriptor) == 0);
}

void close_both(const int (&ends)[2]) {
  close_one(ends[0]);
  close_one(ends[1]);
}

void in_two_threads(void (*open_and_close)()) {
  const auto turns = [=] {
    for (int turn = 0; turn < kTurns; ++turn) open_and_close();
  };
  std::thread first(turns);
  std::thread second(turns);
  first.join();
  second.join();
}

template <void (*open_and_close)()>
void twice() {
  in_two_threads(open_and_close);
}

template <int (*make)(char*)>
void temporary_file() {
  char path[] = "/tmp/vigil_XXXXXX.txt";
  path[sizeof path - 5] = 0;
  const int descriptor = make(path);
  unlink(path);
  close_one(descriptor);
}

template <int (*make)(char*)>
void temporary_file_with_suffix() {
  char path[] = "/tmp/vigil_XXXXXX.txt";
  const int descriptor = make(path);
  unlink(path);
  close_one(descriptor);
}

template <int (*make)(int*)>
void pair() {
  int ends[2] = {-1, -1};
  EXPECT(make(ends) == 0);
  close_both(ends);
}

int one_over_a_socket() {
  int ends[2] = {-1, -1};
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  char byte = 'x';
  iovec part = {&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = 0;
  std::memcpy(CMSG_DATA(rights), &sent, sizeof sent);
  EXPECT(sendmsg(ends[0], &message, 0) == 1);
  message.msg_controllen = sizeof control;
  EXPECT(recvmsg(ends[1], &message, 0) == 1);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  close_both(ends);
  return received;
}

int accepted(bool with_flags) {
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr name = {AF_UNIX, {}};
  EXPECT(bind(listener, &name, sizeof(sa_family_t)) == 0);  // the kernel chooses a name
  sockaddr_storage chosen = {};
  socklen_t size = sizeof chosen;
  EXPECT(getsockname(listener, reinterpret_cast<sockaddr*>(&chosen), &size) == 0);
  EXPECT(listen(listener, 1) == 0);
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT(connect(client, reinterpret_cast<sockaddr*>(&chosen), size) == 0);
  const int server = with_flags ? accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)
                                : accept(listener, nullptr, nullptr);
  close_one(client);
  close_one(listener);
  return server;
}

int signal_descriptor() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  return signalfd(-1, &set, SFD_NONBLOCK);
}

int raw_openat2() {
  open_how how = {};
  how.flags = O_RDONLY;
  return static_cast<int>(syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof how));
}

int message_queue() {
  static std::atomic<int> number = 0;
  const std::string name =
      "/vigil_" + std::to_string(getpid()) + "_" + std::to_string(number.fetch_add(1));
  const int queue = mq_open(name.c_str(), O_RDWR | O_CREAT, 0600, nullptr);
  if (queue >= 0) mq_unlink(name.c_str());
  return queue;
}

int shared_memory() {
  static std::atomic<int> number = 0;
  const std::string name =
      "/vigil_" + std::to_string(getpid()) + "_" + std::to_string(number.fetch_add(1));
  const int descriptor = shm_open(name.c_str(), O_RDWR | O_CREAT, 0600);
  if (descriptor >= 0) shm_unlink(name.c_str());
  return descriptor;
}

void close_stream(std::FILE* stream) {
  EXPECT(stream != nullptr);
  char byte = 0;
  EXPECT(read(fileno(stream), &byte, 0) == 0);  // a use of its descriptor
  EXPECT(std::fclose(stream) == 0);
}

// A name and what opens and closes once.
#define ONE(name, call)                                                     \
  Check {                                                                   \
    name, [] { in_two_threads([] { close_one(static_cast<int>(call)); }); } \
  }

const Check kChecks[] = {
    ONE("open", open("/dev/null", O_RDONLY)),
    ONE("open64", open64("/dev/null", O_RDONLY)),
    ONE("openat", openat(AT_FDCWD, "/dev/null", O_RDONLY)),
    ONE("openat64", openat64(AT_FDCWD, "/dev/null", O_RDONLY)),
    ONE("creat", creat("/dev/null", 0600)),
    ONE("creat64", creat64("/dev/null", 0600)),
    ONE("dup", dup(0)),
    ONE("F_DUPFD", fcntl(0, F_DUPFD, 3)),
    ONE("F_DUPFD_CLOEXEC", fcntl(0, F_DUPFD_CLOEXEC, 3)),
    ONE("socket", socket(AF_UNIX, SOCK_STREAM, 0)),
    ONE("accept", accepted(false)),
    ONE("accept4", accepted(true)),
    ONE("SCM_RIGHTS", one_over_a_socket()),
    ONE("eventfd", eventfd(0, 0)),
    ONE("timerfd_create", timerfd_create(CLOCK_MONOTONIC, 0)),
    ONE("signalfd", signal_descriptor()),
    ONE("inotify_init", inotify_init()),
    ONE("inotify_init1", inotify_init1(IN_CLOEXEC)),
    ONE("fanotify_init", fanotify_init(FAN_CLASS_NOTIF, O_RDONLY)),
    ONE("epoll_create", epoll_create(1)),
    ONE("epoll_create1", epoll_create1(0)),
    ONE("memfd_create", memfd_create("vigil", 0)),
    ONE("shm_open", shared_memory()),
    ONE("mq_open", message_queue()),
    ONE("pidfd_open", pidfd_open(getpid(), 0)),
    ONE("posix_openpt", posix_openpt(O_RDWR | O_NOCTTY)),
    {"pipe", twice<pair<pipe>>},
    {"pipe2", twice<pair<+[](int* ends) { return pipe2(ends, O_CLOEXEC); }>>},
    {"socketpair",
     twice<pair<+[](int* ends) { return socketpair(AF_UNIX, SOCK_STREAM, 0, ends); }>>},
    {"openpty",
     twice<
         pair<+[](int* ends) { return openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr); }>>},
    {"mkstemp", twice<temporary_file<mkstemp>>},
    {"mkstemp64", twice<temporary_file<mkstemp64>>},
    {"mkostemp", twice<temporary_file<+[](char* path) { return mkostemp(path, O_CLOEXEC); }>>},
    {"mkstemps", twice<temporary_file_with_suffix<+[](char* path) { return mkstemps(path, 4); }>>},
    {"mkostemps",
     twice<temporary_file_with_suffix<+[](char* path) { return mkostemps(path, 4, O_CLOEXEC); }>>},
    {"tmpfile", twice<+[] { close_stream(std::tmpfile()); }>},
    {"fopen", twice<+[] { close_stream(std::fopen("/dev/null", "r")); }>},
    {"freopen",
     twice<+[] { close_stream(std::freopen("/dev/null", "r", std::fopen("/dev/null", "r"))); }>},
    {"popen", twice<+[] { EXPECT(pclose(popen("exit 0", "r")) == 0); }>},
    {"opendir", twice<+[] {
       DIR* const folder = opendir("/");
       EXPECT(read(dirfd(folder), nullptr, 0) <= 0);
       EXPECT(closedir(folder) == 0);
     }>},
    {"close_range", twice<+[] {
       const int place = dup(0);
       EXPECT(close_range(static_cast<unsigned>(place), static_cast<unsigned>(place), 0) == 0);
     }>},
    ONE("SYS_open", syscall(SYS_open, "/dev/null", O_RDONLY)),
    ONE("SYS_openat", syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY)),
    ONE("SYS_openat2", raw_openat2()),
    ONE("SYS_dup", syscall(SYS_dup, 0)),
    ONE("SYS_fcntl", syscall(SYS_fcntl, 0, F_DUPFD, 3)),
    ONE("SYS_socket", syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0)),
    ONE("SYS_eventfd2", syscall(SYS_eventfd2, 0, 0)),
    ONE("SYS_epoll_create1", syscall(SYS_epoll_create1, 0)),
    ONE("SYS_memfd_create", syscall(SYS_memfd_create, "vigil", 0)),
    ONE("SYS_inotify_init1", syscall(SYS_inotify_init1, 0)),
    ONE("SYS_timerfd_create", syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0)),
    ONE("SYS_pidfd_open", syscall(SYS_pidfd_open, getpid(), 0)),
    {"SYS_pipe2",
     twice<pair<+[](int* ends) { return static_cast<int>(syscall(SYS_pipe2, ends, 0)); }>>},
    {"SYS_socketpair", twice<pair<+[](int* ends) {
       return static_cast<int>(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends));
     }>>},
    {"SYS_close", twice<+[] { EXPECT(syscall(SYS_close, dup(0)) == 0); }>},
};

}  // namespace

int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
