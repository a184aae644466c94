// SPDX-License-Identifier: Apache-2.0
//
// What interceptors must not change: each check is a small program of its own that must end as it
// does without the runtime, in both modes. Usage: interceptors CHECK (or no argument: list them).
// Exit code 0: as expected. Races are none of its business: the program has none.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "tests/races/platform/checks.h"

namespace {

using namespace std::chrono_literals;

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
std::atomic<int> reached = 0;

timespec soon(clockid_t clock, long milliseconds) {
  timespec time = {};
  clock_gettime(clock, &time);
  time.tv_nsec += milliseconds * 1'000'000;
  time.tv_sec += time.tv_nsec / 1'000'000'000;
  time.tv_nsec %= 1'000'000'000;
  return time;
}

// ---- threads

void cancelled_wait_runs_its_cleanup() {
  pthread_t thread = 0;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        pthread_mutex_lock(&mutex);
        pthread_cleanup_push(
            [](void*) {
              pthread_mutex_unlock(&mutex);
              ++reached;
            },
            nullptr);
        ++reached;
        for (;;) pthread_cond_wait(&condition, &mutex);
        pthread_cleanup_pop(0);
        return nullptr;
      },
      nullptr);
  while (reached == 0) sched_yield();
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  EXPECT(pthread_cancel(thread) == 0);
  void* result = nullptr;
  EXPECT(pthread_join(thread, &result) == 0);
  EXPECT(result == PTHREAD_CANCELED);
  EXPECT(reached == 2);
  EXPECT(pthread_mutex_trylock(&mutex) == 0);
}

void cancelled_sleep_ends() {
  pthread_t thread = 0;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        ++reached;
        for (;;) sleep(1000);
        return nullptr;
      },
      nullptr);
  while (reached == 0) sched_yield();
  pthread_cancel(thread);
  void* result = nullptr;
  EXPECT(pthread_join(thread, &result) == 0);
  EXPECT(result == PTHREAD_CANCELED);
}

void joins_with_and_without_patience() {
  pthread_t thread = 0;
  pthread_mutex_lock(&mutex);
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        return &mutex;
      },
      nullptr);
  void* result = nullptr;
  EXPECT(pthread_tryjoin_np(thread, &result) == EBUSY);
  const timespec time = soon(CLOCK_REALTIME, 20);
  EXPECT(pthread_timedjoin_np(thread, &result, &time) == ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
  EXPECT(pthread_join(thread, &result) == 0);
  EXPECT(result == &mutex);
}

void main_thread_may_leave_first() {
  std::thread([] {
    std::this_thread::sleep_for(20ms);
    std::exit(0);
  }).detach();
  pthread_exit(nullptr);
}

void many_threads_one_after_the_other() {
  for (int i = 0; i < 5000; ++i) {
    std::thread thread([] { ++reached; });
    if (i % 2 == 0) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  while (reached != 5000) sched_yield();
}

void c11_threads_work() {
  static mtx_t c11_mutex;
  static cnd_t c11_condition;
  static int value = 0;
  EXPECT(mtx_init(&c11_mutex, mtx_plain) == thrd_success);
  EXPECT(cnd_init(&c11_condition) == thrd_success);
  thrd_t thread = 0;
  EXPECT(thrd_create(
             &thread,
             [](void*) -> int {
               mtx_lock(&c11_mutex);
               value = 5;
               cnd_signal(&c11_condition);
               mtx_unlock(&c11_mutex);
               return 17;
             },
             nullptr) == thrd_success);
  mtx_lock(&c11_mutex);
  // NOLINTNEXTLINE(bugprone-infinite-loop): cnd_wait lets the other thread change it
  while (value == 0) cnd_wait(&c11_condition, &c11_mutex);
  mtx_unlock(&c11_mutex);
  int result = 0;
  EXPECT(thrd_join(thread, &result) == thrd_success);
  EXPECT(result == 17);
}

// ---- locks

void mutex_kinds_answer_as_they_should() {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutex_t checked;
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&checked, &attributes);
  EXPECT(pthread_mutex_lock(&checked) == 0);
  EXPECT(pthread_mutex_lock(&checked) == EDEADLK);
  EXPECT(pthread_mutex_unlock(&checked) == 0);
  pthread_mutex_t recursive;
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &attributes);
  EXPECT(pthread_mutex_lock(&recursive) == 0);
  EXPECT(pthread_mutex_lock(&recursive) == 0);
  std::thread([&] { EXPECT(pthread_mutex_trylock(&recursive) == EBUSY); }).join();
  EXPECT(pthread_mutex_unlock(&recursive) == 0);
  EXPECT(pthread_mutex_unlock(&recursive) == 0);
  std::thread([&] {
    EXPECT(pthread_mutex_trylock(&recursive) == 0);
    EXPECT(pthread_mutex_unlock(&recursive) == 0);
  }).join();
}

void timed_waits_time_out() {
  pthread_mutex_lock(&mutex);
  std::thread([] {
    timespec time = soon(CLOCK_REALTIME, 20);
    EXPECT(pthread_mutex_timedlock(&mutex, &time) == ETIMEDOUT);
    time = soon(CLOCK_MONOTONIC, 20);
    EXPECT(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &time) == ETIMEDOUT);
  }).join();
  timespec time = soon(CLOCK_REALTIME, 20);
  EXPECT(pthread_cond_timedwait(&condition, &mutex, &time) == ETIMEDOUT);
  time = soon(CLOCK_MONOTONIC, 20);
  EXPECT(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &time) == ETIMEDOUT);
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  time = soon(CLOCK_REALTIME, 20);
  EXPECT(sem_timedwait(&semaphore, &time) == -1 && errno == ETIMEDOUT);
  EXPECT(sem_trywait(&semaphore) == -1 && errno == EAGAIN);
  EXPECT(sem_post(&semaphore) == 0 && sem_wait(&semaphore) == 0);
}

void barrier_lets_one_of_each_round_be_special() {
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, 3);
  std::atomic<int> special = 0;
  const auto pass = [&] {
    for (int round = 0; round < 50; ++round) {
      // NOLINTNEXTLINE(bugprone-posix-return): the constant is negative
      if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) ++special;
    }
  };
  std::thread a(pass);
  std::thread b(pass);
  pass();
  a.join();
  b.join();
  EXPECT(special == 50);
  EXPECT(pthread_barrier_destroy(&barrier) == 0);
}

void once_is_tried_again_after_an_exception() {
  std::once_flag once;
  int tries = 0;
  for (int i = 0; i < 5; ++i) {
    try {
      std::call_once(once, [&] {
        if (++tries < 3) throw std::runtime_error("not yet");
      });
    } catch (const std::runtime_error&) {
      ++reached;
    }
  }
  EXPECT(tries == 3 && reached == 2);
}

int guarded_value() {
  static const int value = [] {
    if (++reached < 3) throw std::runtime_error("not yet");
    return 42;
  }();
  return value;
}

void local_static_is_tried_again_after_an_exception() {
  for (int i = 0; i < 2; ++i) {
    try {
      guarded_value();
      EXPECT(false);
    } catch (const std::runtime_error&) {
    }
  }
  EXPECT(guarded_value() == 42);
}

// ---- signals

void on_signal(int /*signal*/) { ++reached; }

void raised_signal_is_handled_at_once() {
  std::signal(SIGUSR1, on_signal);
  EXPECT(std::raise(SIGUSR1) == 0);
  EXPECT(reached == 1);
}

void signal_ends_a_sleep_of_another_thread() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> awake = false;
  std::thread thread([&] {
    timespec time = {3600, 0};
    while (nanosleep(&time, &time) == -1 && errno == EINTR && reached == 0) {
    }
    awake = true;
  });
  // A signal that comes before the sleep does not end it: the next one will.
  while (!awake) {
    pthread_kill(thread.native_handle(), SIGUSR1);
    usleep(1000);
  }
  thread.join();
  EXPECT(reached > 0);
}

void blocked_signal_is_waited_for() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread thread([] { kill(getpid(), SIGUSR2); });
  int signal = 0;
  EXPECT(sigwait(&set, &signal) == 0);
  EXPECT(signal == SIGUSR2);
  thread.join();
}

void alarm_comes() {
  std::signal(SIGALRM, on_signal);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGALRM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  alarm(1);
  EXPECT(sigsuspend(&before) == -1 && errno == EINTR);
  EXPECT(reached == 1);
}

// Without any call into the C library.
void loop_over_an_atomic_sees_its_signal() {
  std::signal(SIGALRM, on_signal);
  alarm(1);
  while (reached == 0) {
  }
}

void long_jump_out_of_a_handler() {
  static sigjmp_buf buffer;
  std::signal(SIGUSR1, [](int) { siglongjmp(buffer, 5); });
  const int value = sigsetjmp(buffer, 1);
  if (value == 0) {
    std::raise(SIGUSR1);
    EXPECT(false);
  }
  EXPECT(value == 5);
}

// ---- time

void sleeping_takes_the_time_it_says() {
  const auto before = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(50ms);
  usleep(1000);
  EXPECT(std::chrono::steady_clock::now() - before >= 51ms);
}

void timer_threads_are_called() {
  sigevent event = {};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = [](sigval value) { reached += value.sival_int; };
  event.sigev_value.sival_int = 7;
  timer_t timer = nullptr;
  EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  itimerspec setting = {};
  setting.it_value.tv_nsec = 10'000'000;
  EXPECT(timer_settime(timer, 0, &setting, nullptr) == 0);
  while (reached != 7) usleep(1000);
  EXPECT(timer_delete(timer) == 0);
}

// ---- descriptors and processes

void pipe_carries_more_than_it_holds() {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  constexpr std::size_t kSize = 1 << 20;
  std::thread writer([&] {
    char* bytes = static_cast<char*>(std::malloc(kSize));
    std::memset(bytes, 'v', kSize);
    EXPECT(write(ends[1], bytes, kSize) == static_cast<ssize_t>(kSize));
    std::free(bytes);
    close(ends[1]);
  });
  std::size_t got = 0;
  char buffer[5000];
  for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    got += static_cast<std::size_t>(n);
  EXPECT(got == kSize);
  writer.join();
}

void epoll_tells_of_events() {
  const int event = eventfd(0, 0);
  const int group = epoll_create1(0);
  epoll_event wanted = {};
  wanted.events = EPOLLIN;
  wanted.data.fd = event;
  EXPECT(epoll_ctl(group, EPOLL_CTL_ADD, event, &wanted) == 0);
  epoll_event found = {};
  EXPECT(epoll_wait(group, &found, 1, 10) == 0);
  std::thread thread([&] {
    const std::uint64_t one = 1;
    EXPECT(write(event, &one, sizeof one) == sizeof one);
  });
  EXPECT(epoll_wait(group, &found, 1, -1) == 1);
  EXPECT(found.data.fd == event);
  thread.join();
}

void poll_times_out() {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  pollfd wanted = {ends[0], POLLIN, 0};
  EXPECT(poll(&wanted, 1, 20) == 0);
  EXPECT(write(ends[1], "x", 1) == 1);
  EXPECT(poll(&wanted, 1, 20) == 1);
}

void child_of_a_threaded_program_works() {
  std::mutex lock;
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) {
      const std::lock_guard guard(lock);
      std::free(std::malloc(100));
    }
  });
  for (int i = 0; i < 5; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      std::thread inner([] { std::free(std::malloc(1000)); });
      inner.join();
      _exit(40 + i);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 40 + i);
  }
  stop = true;
  busy.join();
}

void child_may_execute_another_program() {
  const pid_t child = vfork();
  if (child == 0) {
    execl("/bin/true", "true", nullptr);
    _exit(9);
  }
  int status = 0;
  EXPECT(waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// A child writes late into a pipe while another thread of the parent has work to do.
void others_go_on_while_a_read_waits_outside() {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const timespec time = {0, 50'000'000};
    nanosleep(&time, nullptr);
    EXPECT(write(ends[1], "x", 1) == 1);
    _exit(0);
  }
  std::thread worker([] {
    for (int i = 0; i < 1000; ++i) ++reached;
  });
  char byte = 0;
  EXPECT(read(ends[0], &byte, 1) == 1 && byte == 'x');
  worker.join();
  EXPECT(waitpid(child, nullptr, 0) == child);
  EXPECT(reached == 1000);
}

constexpr Check kChecks[] = {
    CHECK(cancelled_wait_runs_its_cleanup),
    CHECK(cancelled_sleep_ends),
    CHECK(joins_with_and_without_patience),
    CHECK(main_thread_may_leave_first),
    CHECK(many_threads_one_after_the_other),
    CHECK(c11_threads_work),
    CHECK(mutex_kinds_answer_as_they_should),
    CHECK(timed_waits_time_out),
    CHECK(barrier_lets_one_of_each_round_be_special),
    CHECK(once_is_tried_again_after_an_exception),
    CHECK(local_static_is_tried_again_after_an_exception),
    CHECK(raised_signal_is_handled_at_once),
    CHECK(signal_ends_a_sleep_of_another_thread),
    CHECK(blocked_signal_is_waited_for),
    CHECK(alarm_comes),
    CHECK(loop_over_an_atomic_sees_its_signal),
    CHECK(long_jump_out_of_a_handler),
    CHECK(sleeping_takes_the_time_it_says),
    CHECK(timer_threads_are_called),
    CHECK(pipe_carries_more_than_it_holds),
    CHECK(epoll_tells_of_events),
    CHECK(poll_times_out),
    CHECK(child_of_a_threaded_program_works),
    CHECK(child_may_execute_another_program),
    CHECK(others_go_on_while_a_read_waits_outside),
};

}  // namespace

int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
