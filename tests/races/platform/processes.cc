// SPDX-License-Identifier: Apache-2.0
//
// Processes: a forked child has one thread, for which everything in its parent is past; every
// object that is shared with it may be changed by it. And what threads see of the machine.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "tests/races/platform/checks.h"

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
int counter = 0;

void* count_under_the_lock(void*) {
  for (int turn = 0; turn < 200; ++turn) {
    pthread_mutex_lock(&mutex);
    ++counter;
    pthread_mutex_unlock(&mutex);
    usleep(1000);
  }
  return nullptr;
}

void* count_once(void*) {
  ++counter;
  return nullptr;
}

void in_a_child(void (*body)()) {
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    body();
    std::exit(0);  // NOLINT: with what the runtime has to say
  }
  int status = 0;
  EXPECT(waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void child_of_a_busy_program(void (*body)()) {
  pthread_t thread = 0;
  pthread_create(&thread, nullptr, count_under_the_lock, nullptr);
  usleep(20'000);
  in_a_child(body);
  pthread_join(thread, nullptr);
}

void child_sets_its_state_up_again() {
  child_of_a_busy_program([] {
    pthread_mutex_init(&mutex, nullptr);
    counter = 0;
  });
}

void child_starts_threads_of_its_own() {
  child_of_a_busy_program([] {
    counter = 0;
    pthread_t thread = 0;
    pthread_create(&thread, nullptr, count_once, nullptr);
    pthread_join(thread, nullptr);
    EXPECT(counter == 1);
  });
}

void child_of_a_child() {
  child_of_a_busy_program([] {
    counter = 0;
    in_a_child([] { counter = 1; });
  });
}

// ---- shared objects: the parent waits for each, and only the child can end the wait

struct Shared {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  pthread_rwlock_t lock;
  pthread_barrier_t barrier;
  pthread_spinlock_t spin;
  sem_t semaphore;
  int word;
  bool done;
  bool taken;
};

Shared* shared = nullptr;

void share() {
  void* const memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT(memory != MAP_FAILED);
  shared = static_cast<Shared*>(memory);
  pthread_mutexattr_t mutex_attributes;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex_attributes);
  pthread_condattr_t condition_attributes;
  pthread_condattr_init(&condition_attributes);
  pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->condition, &condition_attributes);
  pthread_rwlockattr_t lock_attributes;
  pthread_rwlockattr_init(&lock_attributes);
  pthread_rwlockattr_setpshared(&lock_attributes, PTHREAD_PROCESS_SHARED);
  pthread_rwlock_init(&shared->lock, &lock_attributes);
  pthread_barrierattr_t barrier_attributes;
  pthread_barrierattr_init(&barrier_attributes);
  pthread_barrierattr_setpshared(&barrier_attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->barrier, &barrier_attributes, 2);
  pthread_spin_init(&shared->spin, PTHREAD_PROCESS_SHARED);
  sem_init(&shared->semaphore, 1, 0);
}

// `child` runs beside `parent`; both end.
void with_a_child(void (*child)(), void (*parent)()) {
  share();
  const pid_t process = fork();
  EXPECT(process >= 0);
  if (process == 0) {
    child();
    _exit(0);
  }
  parent();
  EXPECT(waitpid(process, nullptr, 0) == process);
}

void pause_really() {
  const timespec time = {0, 20'000'000};
  syscall(SYS_nanosleep, &time, nullptr);
}

void wait_until_taken() {
  while (!__atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE)) pause_really();
}

template <class Lock, class Unlock>
void take_for_a_while(Lock lock, Unlock unlock) {
  EXPECT(lock() == 0);
  __atomic_store_n(&shared->taken, true, __ATOMIC_RELEASE);
  pause_really();
  EXPECT(unlock() == 0);
}

timespec in_a_minute() {
  timespec time = {};
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_sec += 60;
  return time;
}

void child_signals_a_condition() {
  with_a_child(
      [] {
        pthread_mutex_lock(&shared->mutex);
        shared->done = true;
        pthread_cond_signal(&shared->condition);
        pthread_mutex_unlock(&shared->mutex);
      },
      [] {
        pthread_mutex_lock(&shared->mutex);
        while (!shared->done) pthread_cond_wait(&shared->condition, &shared->mutex);
        pthread_mutex_unlock(&shared->mutex);
      });
}

void child_broadcasts_before_the_deadline() {
  with_a_child(
      [] {
        pthread_mutex_lock(&shared->mutex);
        shared->done = true;
        pthread_cond_broadcast(&shared->condition);
        pthread_mutex_unlock(&shared->mutex);
      },
      [] {
        const timespec deadline = in_a_minute();
        pthread_mutex_lock(&shared->mutex);
        while (!shared->done) {
          EXPECT(pthread_cond_timedwait(&shared->condition, &shared->mutex, &deadline) == 0);
        }
        pthread_mutex_unlock(&shared->mutex);
      });
}

void child_posts_a_semaphore() {
  with_a_child([] { sem_post(&shared->semaphore); },
               [] { EXPECT(sem_wait(&shared->semaphore) == 0); });
}

void child_holds_a_mutex() {
  with_a_child(
      [] {
        take_for_a_while([] { return pthread_mutex_lock(&shared->mutex); },
                         [] { return pthread_mutex_unlock(&shared->mutex); });
      },
      [] {
        wait_until_taken();
        EXPECT(pthread_mutex_lock(&shared->mutex) == 0);
        pthread_mutex_unlock(&shared->mutex);
      });
}

void child_holds_a_read_write_lock() {
  with_a_child(
      [] {
        take_for_a_while([] { return pthread_rwlock_wrlock(&shared->lock); },
                         [] { return pthread_rwlock_unlock(&shared->lock); });
      },
      [] {
        wait_until_taken();
        EXPECT(pthread_rwlock_rdlock(&shared->lock) == 0);
        pthread_rwlock_unlock(&shared->lock);
      });
}

void child_holds_a_spin_lock() {
  with_a_child(
      [] {
        take_for_a_while([] { return pthread_spin_lock(&shared->spin); },
                         [] { return pthread_spin_unlock(&shared->spin); });
      },
      [] {
        wait_until_taken();
        EXPECT(pthread_spin_lock(&shared->spin) == 0);
        pthread_spin_unlock(&shared->spin);
      });
}

void child_comes_to_a_barrier() {
  with_a_child([] { pthread_barrier_wait(&shared->barrier); },
               [] { pthread_barrier_wait(&shared->barrier); });
}

void child_wakes_a_futex() {
  with_a_child(
      [] {
        __atomic_store_n(&shared->word, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
      },
      [] {
        while (__atomic_load_n(&shared->word, __ATOMIC_ACQUIRE) == 0) {
          syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
        }
      });
}

// ---- the machine

void all_ways_show_the_same_processors() {
  cpu_set_t set;
  EXPECT(sched_getaffinity(0, sizeof set, &set) == 0);
  cpu_set_t of_thread;
  EXPECT(pthread_getaffinity_np(pthread_self(), sizeof of_thread, &of_thread) == 0);
  cpu_set_t by_number;
  CPU_ZERO(&by_number);
  EXPECT(syscall(SYS_sched_getaffinity, 0, sizeof by_number, &by_number) > 0);
  EXPECT(CPU_EQUAL(&set, &of_thread) && CPU_EQUAL(&set, &by_number));
  EXPECT(CPU_COUNT(&set) <= sysconf(_SC_NPROCESSORS_CONF));
}

void chosen_processors_are_shown() {
  cpu_set_t set;
  EXPECT(sched_getaffinity(0, sizeof set, &set) == 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (std::size_t processor = 0; CPU_COUNT(&one) == 0; ++processor) {
    if (CPU_ISSET(processor, &set)) CPU_SET(processor, &one);
  }
  EXPECT(sched_setaffinity(0, sizeof one, &one) == 0);
  EXPECT(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_EQUAL(&one, &set));
  CPU_ZERO(&one);
  EXPECT(sched_setaffinity(0, sizeof one, &one) == -1 && errno == EINVAL);
}

void smallest_stacks_suffice() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EXPECT(pthread_attr_setstacksize(&attributes, static_cast<std::size_t>(PTHREAD_STACK_MIN)) == 0);
  pthread_t thread = 0;
  EXPECT(pthread_create(
             &thread, &attributes,
             [](void*) -> void* {
               char text[2000];
               std::memset(text, 1, sizeof text);
               std::snprintf(text, sizeof text, "%d %s", 3, "hello");
               return nullptr;
             },
             nullptr) == 0);
  pthread_join(thread, nullptr);
}

void invalid_times_are_refused() {
  const timespec wrong = {time(nullptr) + 2, 1'000'000'000};
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
  pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
  sem_t semaphore;
  sem_init(&semaphore, 0, 1);
  pthread_mutex_lock(&held);
  EXPECT(pthread_cond_timedwait(&condition, &held, &wrong) == EINVAL);
  EXPECT(pthread_cond_clockwait(&condition, &held, CLOCK_MONOTONIC, &wrong) == EINVAL);
  EXPECT(pthread_mutex_timedlock(&held, &wrong) == EINVAL);
  pthread_mutex_unlock(&held);
  EXPECT(pthread_mutex_timedlock(&held, &wrong) == 0);  // it need not wait
  pthread_mutex_unlock(&held);
  EXPECT(pthread_rwlock_timedrdlock(&lock, &wrong) == EINVAL);
  EXPECT(pthread_rwlock_timedwrlock(&lock, &wrong) == EINVAL);
  EXPECT(sem_timedwait(&semaphore, &wrong) == -1 && errno == EINVAL);
  EXPECT(nanosleep(&wrong, nullptr) == -1 && errno == EINVAL);
}

const Check kChecks[] = {
    CHECK(child_sets_its_state_up_again),
    CHECK(child_starts_threads_of_its_own),
    CHECK(child_of_a_child),
    CHECK(child_signals_a_condition),
    CHECK(child_broadcasts_before_the_deadline),
    CHECK(child_posts_a_semaphore),
    CHECK(child_holds_a_mutex),
    CHECK(child_holds_a_read_write_lock),
    CHECK(child_holds_a_spin_lock),
    CHECK(child_comes_to_a_barrier),
    CHECK(child_wakes_a_futex),
    CHECK(all_ways_show_the_same_processors),
    CHECK(chosen_processors_are_shown),
    CHECK(smallest_stacks_suffice),
    CHECK(invalid_times_are_refused),
};

}  // namespace

int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
