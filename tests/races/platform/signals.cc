// SPDX-License-Identifier: Apache-2.0
//
// Every wait that a signal ends, every call and timer that sends one, and what is done about a
// signal that is blocked.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "tests/races/platform/checks.h"

namespace {

std::atomic<int> handled = 0;
std::atomic<bool> ended = false;  // a wait
sem_t semaphore;

void handle(int /*signal*/) { ++handled; }

void install(int signal, int flags) {
  struct sigaction action = {};
  action.sa_handler = handle;
  action.sa_flags = flags;
  EXPECT(sigaction(signal, &action, nullptr) == 0);
}

void block(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  EXPECT(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
}

sigset_t only(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

timespec in_an_hour() {
  timespec time = {};
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_sec += 3600;
  return time;
}

int empty_pipe() {
  int ends[2] = {};
  EXPECT(pipe(ends) == 0);
  return ends[0];
}

int full_pipe() {
  int ends[2] = {};
  EXPECT(pipe2(ends, O_NONBLOCK) == 0);
  static const char bytes[4096] = {};
  while (write(ends[1], bytes, sizeof bytes) > 0) {
  }
  EXPECT(fcntl(ends[1], F_SETFL, 0) == 0);
  return ends[1];
}

int silent_socket() {
  int ends[2] = {};
  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  return ends[0];
}

// ---- waits: a timer's signal must end each with EINTR

template <class Wait>
void is_interrupted(Wait wait) {
  install(SIGALRM, 0);
  const itimerval soon = {{}, {0, 50'000}};
  EXPECT(setitimer(ITIMER_REAL, &soon, nullptr) == 0);
  errno = 0;
  EXPECT(wait() == -1);
  EXPECT(errno == EINTR);
  EXPECT(handled == 1);
}

// The same when another thread sends it. A wait with a deadline may also come to that first: the
// other thread may be late.
template <class Wait>
void is_interrupted_by_a_thread(Wait wait) {
  install(SIGUSR1, 0);
  static pthread_t waiter;
  waiter = pthread_self();
  pthread_t sender = 0;
  pthread_create(
      &sender, nullptr,
      [](void*) -> void* {
        while (!ended) {  // the first may come before the wait
          usleep(50'000);
          pthread_kill(waiter, SIGUSR1);
        }
        return nullptr;
      },
      nullptr);
  errno = 0;
  const long result = wait();
  const int error = errno;
  ended = true;
  EXPECT(result != -1 || error == EINTR || error == ETIMEDOUT || error == EAGAIN);
  pthread_join(sender, nullptr);
}

#define WAIT(name, call)                                                                   \
  {name "_and_a_timer", [] { is_interrupted([] { return static_cast<long>(call); }); }}, { \
    name "_and_a_thread",                                                                  \
        [] { is_interrupted_by_a_thread([] { return static_cast<long>(call); }); }         \
  }

char byte = 0;
epoll_event event = {};

long read_select(const timespec* timeout, const sigset_t* mask, bool with_mask) {
  const int descriptor = empty_pipe();
  fd_set set;
  FD_ZERO(&set);
  FD_SET(descriptor, &set);
  return with_mask ? pselect(descriptor + 1, &set, nullptr, nullptr, timeout, mask)
                   : select(descriptor + 1, &set, nullptr, nullptr, nullptr);
}

long wait_for_group() {
  const int group = epoll_create1(0);
  const int descriptor = empty_pipe();
  EXPECT(epoll_ctl(group, EPOLL_CTL_ADD, descriptor, &event) == 0);
  return group;
}

long poll_pipe(bool with_mask) {
  pollfd wanted = {empty_pipe(), POLLIN, 0};
  sigset_t none;
  sigemptyset(&none);
  return with_mask ? ppoll(&wanted, 1, nullptr, &none) : poll(&wanted, 1, -1);
}

long wait_for_semaphore(int how) {
  sem_init(&semaphore, 0, 0);
  const timespec late = in_an_hour();
  if (how == 0) return sem_wait(&semaphore);
  return how == 1 ? sem_timedwait(&semaphore, &late)
                  : sem_clockwait(&semaphore, CLOCK_REALTIME, &late);
}

long sleep_clock() {
  const timespec hour = {3600, 0};
  const int error = clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, nullptr);
  errno = error;
  return error == 0 ? 0 : -1;
}

long sleep_nanoseconds() {
  const timespec hour = {3600, 0};
  return nanosleep(&hour, nullptr);
}

long wait_for_other_signal(bool timed) {
  sigset_t set = only(SIGUSR2);
  EXPECT(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  const timespec hour = {3600, 0};
  return timed ? sigtimedwait(&set, nullptr, &hour) : sigwaitinfo(&set, nullptr);
}

long suspend() {
  sigset_t none;
  sigemptyset(&none);
  return sigsuspend(&none);
}

long wait_for_futex() {
  static int word = 0;
  return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

// ---- senders: each must reach the handler of a thread that waits

template <class Send>
void reaches_the_handler(Send send) {
  install(SIGUSR1, 0);
  send();
  while (handled == 0) usleep(1000);
}

timer_t timer(sigevent event) {
  timer_t made = nullptr;
  EXPECT(timer_create(CLOCK_MONOTONIC, &event, &made) == 0);
  const itimerspec soon = {{}, {0, 1'000'000}};
  EXPECT(timer_settime(made, 0, &soon, nullptr) == 0);
  return made;
}

void send_by_timer() {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGUSR1;
  timer(event);
}

void send_by_timer_to_a_thread() {
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGUSR1;
  event._sigev_un._tid = gettid();
  timer(event);
}

void alarm_signal_by(void (*start)()) {
  install(SIGALRM, 0);
  start();
  EXPECT(usleep(999'999) == -1 && errno == EINTR);
  EXPECT(handled == 1);
}

void queued_value_arrives() {
  static int seen = 0;
  struct sigaction action = {};
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    seen = info->si_value.sival_int;
    ++handled;
  };
  action.sa_flags = SA_SIGINFO;
  EXPECT(sigaction(SIGUSR1, &action, nullptr) == 0);
  sigval value = {};
  value.sival_int = 42;
  EXPECT(sigqueue(getpid(), SIGUSR1, value) == 0);
  while (handled == 0) usleep(1000);
  EXPECT(seen == 42);
}

// ---- handlers and blocked signals

void post_in_the_handler_ends_the_wait() {
  sem_init(&semaphore, 0, 0);
  struct sigaction action = {};
  action.sa_handler = [](int) { sem_post(&semaphore); };
  action.sa_flags = SA_RESTART;
  EXPECT(sigaction(SIGALRM, &action, nullptr) == 0);
  alarm(1);
  while (sem_wait(&semaphore) != 0) EXPECT(errno == EINTR);
}

void signal_descriptor_shows(int (*wait)(int descriptor)) {
  block(SIGHUP);
  const sigset_t set = only(SIGHUP);
  const int descriptor = signalfd(-1, &set, 0);
  pthread_t sender = 0;
  pthread_create(
      &sender, nullptr,
      [](void*) -> void* {
        usleep(1000);
        kill(getpid(), SIGHUP);
        return nullptr;
      },
      nullptr);
  EXPECT(wait(descriptor) == 1);
  signalfd_siginfo info = {};
  EXPECT(read(descriptor, &info, sizeof info) == sizeof info);
  EXPECT(info.ssi_signo == SIGHUP);
  pthread_join(sender, nullptr);
}

void signal_descriptor_is_read() {
  signal_descriptor_shows([](int) { return 1; });
}
void signal_descriptor_is_polled() {
  signal_descriptor_shows([](int descriptor) {
    pollfd wanted = {descriptor, POLLIN, 0};
    return poll(&wanted, 1, -1);
  });
}
void signal_descriptor_is_in_a_group() {
  signal_descriptor_shows([](int descriptor) {
    const int group = epoll_create1(0);
    event.events = EPOLLIN;
    EXPECT(epoll_ctl(group, EPOLL_CTL_ADD, descriptor, &event) == 0);
    return epoll_wait(group, &event, 1, -1);
  });
}
void signal_descriptor_shows_a_timer() {
  block(SIGALRM);
  const sigset_t set = only(SIGALRM);
  const int descriptor = signalfd(-1, &set, 0);
  alarm(1);
  signalfd_siginfo info = {};
  EXPECT(read(descriptor, &info, sizeof info) == sizeof info);
  EXPECT(info.ssi_signo == SIGALRM);
}
void descriptor_and_wait_may_mix() {
  block(SIGHUP);
  const sigset_t set = only(SIGHUP);
  EXPECT(signalfd(-1, &set, 0) >= 0);
  EXPECT(kill(getpid(), SIGHUP) == 0);
  EXPECT(sigwaitinfo(&set, nullptr) == SIGHUP);
}

void blocked_signal_comes_with_the_mask_of_the_wait() {
  install(SIGUSR1, 0);
  block(SIGUSR1);
  EXPECT(raise(SIGUSR1) == 0);
  EXPECT(handled == 0);
  sigset_t none;
  sigemptyset(&none);
  const timespec hour = {3600, 0};
  EXPECT(pselect(0, nullptr, nullptr, nullptr, &hour, &none) == -1 && errno == EINTR);
  EXPECT(handled == 1);
}

// Not instrumented: compilers put a landing pad around what they instrument, and an exception that
// comes from no call ends a program in C++.
[[gnu::no_sanitize("thread"), gnu::noinline]] void loop() {
  for (volatile bool never = false; !never;) {
  }
}

void asynchronous_cancellation_ends_a_loop() {
  pthread_t thread = 0;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        // What is tested. NOLINTNEXTLINE(concurrency-thread-canceltype-asynchronous)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
        void (*volatile run)() = loop;  // it might throw, as far as the compiler can see
        run();
        return nullptr;
      },
      nullptr);
  usleep(1000);
  EXPECT(pthread_cancel(thread) == 0);
  void* result = nullptr;
  EXPECT(pthread_join(thread, &result) == 0);
  EXPECT(result == PTHREAD_CANCELED);
}

const Check kChecks[] = {
    WAIT("read", read(empty_pipe(), &byte, 1)),
    WAIT("write", write(full_pipe(), &byte, 1)),
    WAIT("recv", recv(silent_socket(), &byte, 1, 0)),
    WAIT("recvfrom", recvfrom(silent_socket(), &byte, 1, 0, nullptr, nullptr)),
    WAIT("poll", poll_pipe(false)),
    WAIT("ppoll", poll_pipe(true)),
    WAIT("select", read_select(nullptr, nullptr, false)),
    WAIT("pselect", read_select(nullptr, nullptr, true)),
    WAIT("epoll_wait", epoll_wait(static_cast<int>(wait_for_group()), &event, 1, -1)),
    WAIT("epoll_pwait", epoll_pwait(static_cast<int>(wait_for_group()), &event, 1, -1, nullptr)),
    WAIT("nanosleep", sleep_nanoseconds()),
    WAIT("clock_nanosleep", sleep_clock()),
    WAIT("usleep", usleep(999'999)),
    WAIT("sem_wait", wait_for_semaphore(0)),
    WAIT("sem_timedwait", wait_for_semaphore(1)),
    WAIT("sem_clockwait", wait_for_semaphore(2)),
    WAIT("sigwaitinfo", wait_for_other_signal(false)),
    WAIT("sigtimedwait", wait_for_other_signal(true)),
    WAIT("pause", pause()),
    WAIT("sigsuspend", suspend()),
    WAIT("futex", wait_for_futex()),
    {"raise", [] { reaches_the_handler([] { EXPECT(raise(SIGUSR1) == 0); }); }},
    {"kill", [] { reaches_the_handler([] { EXPECT(kill(getpid(), SIGUSR1) == 0); }); }},
    {"tgkill",
     [] { reaches_the_handler([] { EXPECT(tgkill(getpid(), gettid(), SIGUSR1) == 0); }); }},
    {"pthread_kill",
     [] { reaches_the_handler([] { EXPECT(pthread_kill(pthread_self(), SIGUSR1) == 0); }); }},
    {"sigqueue", queued_value_arrives},
    {"SYS_kill",
     [] { reaches_the_handler([] { EXPECT(syscall(SYS_kill, getpid(), SIGUSR1) == 0); }); }},
    {"SYS_tgkill",
     [] {
       reaches_the_handler([] { EXPECT(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1) == 0); });
     }},
    {"timer_create", [] { reaches_the_handler(send_by_timer); }},
    {"timer_create_for_a_thread", [] { reaches_the_handler(send_by_timer_to_a_thread); }},
    {"ualarm", [] { alarm_signal_by([] { ualarm(1000, 0); }); }},
    {"setitimer",
     [] {
       alarm_signal_by([] {
         const itimerval soon = {{}, {0, 1000}};
         setitimer(ITIMER_REAL, &soon, nullptr);
       });
     }},
    CHECK(post_in_the_handler_ends_the_wait),
    CHECK(signal_descriptor_is_read),
    CHECK(signal_descriptor_is_polled),
    CHECK(signal_descriptor_is_in_a_group),
    CHECK(signal_descriptor_shows_a_timer),
    CHECK(descriptor_and_wait_may_mix),
    CHECK(blocked_signal_comes_with_the_mask_of_the_wait),
    CHECK(asynchronous_cancellation_ends_a_loop),
};

}  // namespace

int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
