// SPDX-License-Identifier: Apache-2.0
//
// Wrong uses of locks, condition variables, barriers and semaphores, each with the sentence that
// must be reported, and next to them right uses that look alike, about which nothing may be said.
// None of them waits for good.
#include <pthread.h>
#include <semaphore.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr const char* kNotHeld = "a lock is unlocked that nobody holds";
constexpr const char* kHeldByAnother = "a lock is unlocked by a thread that does not hold it";
constexpr const char* kDestroyedHeld = "a lock is destroyed while it is held";
constexpr const char* kHeldByItself = "a thread locks what it holds, and waits for itself";
constexpr const char* kOrder = "locks are taken in two orders";
constexpr const char* kFreedHeld = "the memory of a lock is freed while the lock is held";
constexpr const char* kHeldAtEnd = "a thread ends while it holds a lock";
constexpr const char* kDestroyedWaited = "an object is destroyed while a thread waits for it";
constexpr const char* kInitialisedWaited = "an object is initialised while a thread waits for it";
constexpr const char* kDestroyed = "an object is used after it was destroyed";
constexpr const char* kTwoMutexes = "threads wait for one condition variable with two mutexes";
constexpr const char* kNothing = "";

void in_a_thread(void (*body)()) { std::thread(body).join(); }

pthread_mutex_t make_mutex(int type, bool robust = false) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  if (robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  return mutex;
}

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t checking = make_mutex(PTHREAD_MUTEX_ERRORCHECK);
pthread_mutex_t recursive = make_mutex(PTHREAD_MUTEX_RECURSIVE);
pthread_mutex_t robust = make_mutex(PTHREAD_MUTEX_NORMAL, true);
pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
pthread_rwlock_t second_lock = PTHREAD_RWLOCK_INITIALIZER;
pthread_spinlock_t spin = 1;
pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
pthread_barrier_t barrier;
sem_t semaphore;
bool waits = false;  // a thread, for `condition`; of `mutex`
bool ready = false;

// ---- unlocking

void unlock_what_nobody_holds() {
  in_a_thread([] { pthread_mutex_unlock(&mutex); });
}
void unlock_twice_recursively() {
  in_a_thread([] {
    pthread_mutex_lock(&recursive);
    pthread_mutex_unlock(&recursive);
    pthread_mutex_unlock(&recursive);
  });
}
void unlock_what_main_holds() {
  in_a_thread([] {});
  pthread_mutex_lock(&checking);
  in_a_thread([] { pthread_mutex_unlock(&checking); });
}
void unlock_a_spin_lock_that_is_open() {
  in_a_thread([] { pthread_spin_unlock(&spin); });
}
void unlock_an_open_read_write_lock() {
  in_a_thread([] { pthread_rwlock_unlock(&lock); });
}
void unlock_what_main_writes() {
  in_a_thread([] {});
  pthread_rwlock_wrlock(&lock);
  in_a_thread([] { pthread_rwlock_unlock(&lock); });
}
void unlock_what_main_reads() {
  in_a_thread([] {});
  pthread_rwlock_rdlock(&lock);
  in_a_thread([] { pthread_rwlock_unlock(&lock); });
}
void wait_without_the_mutex() {
  in_a_thread([] {
    const timespec past = {1, 0};
    pthread_cond_timedwait(&condition, &mutex, &past);
    pthread_mutex_unlock(&mutex);
  });
}

// ---- locking again

void write_what_is_read() {
  in_a_thread([] {
    pthread_rwlock_rdlock(&lock);
    const timespec past = {1, 0};
    pthread_rwlock_timedwrlock(&lock, &past);  // a deadline: no misuse
    pthread_rwlock_unlock(&lock);
  });
}
void write_what_is_written() {
  in_a_thread([] {
    pthread_rwlock_wrlock(&lock);
    pthread_rwlock_wrlock(&lock);  // answers EDEADLK
    pthread_rwlock_unlock(&lock);
  });
}
void read_again() {
  in_a_thread([] {
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_unlock(&lock);
  });
}
void lock_a_recursive_mutex_again() {
  in_a_thread([] {
    pthread_mutex_lock(&recursive);
    pthread_mutex_lock(&recursive);
    pthread_mutex_unlock(&recursive);
    pthread_mutex_unlock(&recursive);
  });
}

// ---- the end of locks and threads

void destroy_a_held_mutex() {
  in_a_thread([] {
    pthread_mutex_lock(&mutex);
    pthread_mutex_destroy(&mutex);
    pthread_mutex_unlock(&mutex);
  });
}
void destroy_a_read_lock() {
  in_a_thread([] {
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_destroy(&lock);
  });
}
void free_a_held_mutex() {
  in_a_thread([] {
    auto* held = static_cast<pthread_mutex_t*>(std::malloc(sizeof(pthread_mutex_t)));
    pthread_mutex_init(held, nullptr);
    pthread_mutex_lock(held);
    std::free(held);
  });
}
void end_with_a_mutex() {
  in_a_thread([] { pthread_mutex_lock(&mutex); });
}
void end_with_a_read_lock() {
  in_a_thread([] { pthread_rwlock_rdlock(&lock); });
}
void end_with_a_spin_lock() {
  in_a_thread([] { pthread_spin_lock(&spin); });
}
void end_with_a_robust_mutex() {
  in_a_thread([] { pthread_mutex_lock(&robust); });
  if (pthread_mutex_lock(&robust) == EOWNERDEAD) pthread_mutex_consistent(&robust);
  pthread_mutex_unlock(&robust);
}
void end_cancelled_with_a_mutex() {
  pthread_t thread = 0;
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        pthread_mutex_lock(&mutex);
        for (;;) pthread_testcancel();
      },
      nullptr);
  pthread_cancel(thread);
  pthread_join(thread, nullptr);
}
void lock_a_destroyed_mutex() {
  in_a_thread([] {
    pthread_mutex_destroy(&mutex);
    pthread_mutex_lock(&mutex);
  });
}
void read_a_destroyed_lock() {
  in_a_thread([] {
    pthread_rwlock_destroy(&lock);
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_unlock(&lock);
  });
}
void signal_a_destroyed_condition() {
  in_a_thread([] {
    pthread_cond_destroy(&condition);
    pthread_cond_signal(&condition);
  });
}
void post_a_destroyed_semaphore() {
  in_a_thread([] {
    sem_init(&semaphore, 0, 0);
    sem_destroy(&semaphore);
    sem_post(&semaphore);
  });
}
void destroy_a_barrier_that_never_was() {
  in_a_thread([] { pthread_barrier_destroy(&barrier); });
}
void begin_again() {
  in_a_thread([] {
    for (int round = 0; round < 2; ++round) {
      pthread_mutex_init(&mutex, nullptr);
      pthread_mutex_lock(&mutex);
      pthread_mutex_unlock(&mutex);
      pthread_mutex_destroy(&mutex);
      pthread_rwlock_init(&lock, nullptr);
      pthread_rwlock_wrlock(&lock);
      pthread_rwlock_unlock(&lock);
      pthread_rwlock_destroy(&lock);
      pthread_cond_init(&condition, nullptr);
      pthread_cond_signal(&condition);
      pthread_cond_destroy(&condition);
      sem_init(&semaphore, 0, 1);
      sem_wait(&semaphore);
      sem_destroy(&semaphore);
      pthread_barrier_init(&barrier, nullptr, 1);
      pthread_barrier_wait(&barrier);
      pthread_barrier_destroy(&barrier);
    }
  });
}

// ---- what is waited for

// Waits for `condition` with the mutex until `ready`.
void* wait_with(void* with) {
  auto* const held = static_cast<pthread_mutex_t*>(with);
  pthread_mutex_lock(held);
  waits = true;
  while (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST)) {
    timespec soon = {};
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 1;
    pthread_cond_timedwait(&condition, held, &soon);
  }
  pthread_mutex_unlock(held);
  return nullptr;
}

// Calls `body` while a thread waits for `condition` with `mutex`.
template <class Body>
void beside_a_waiter(Body body) {
  pthread_t thread = 0;
  pthread_create(&thread, nullptr, wait_with, &mutex);
  for (bool begun = false; !begun;) {
    sched_yield();
    pthread_mutex_lock(&mutex);
    begun = waits;
    pthread_mutex_unlock(&mutex);
  }
  body();
  __atomic_store_n(&ready, true, __ATOMIC_SEQ_CST);
  pthread_join(thread, nullptr);
}

void wait_with_two_mutexes() {
  beside_a_waiter([] {
    const timespec past = {1, 0};
    pthread_mutex_lock(&other);
    pthread_cond_timedwait(&condition, &other, &past);
    pthread_mutex_unlock(&other);
  });
}
void wait_with_one_mutex() {
  beside_a_waiter([] {
    const timespec past = {1, 0};
    pthread_mutex_lock(&mutex);
    pthread_cond_timedwait(&condition, &mutex, &past);
    pthread_mutex_unlock(&mutex);
  });
}
void initialise_what_is_waited_for() {
  beside_a_waiter([] { pthread_cond_init(&condition, nullptr); });
}
void destroy_after_a_broadcast() {
  pthread_t thread = 0;
  pthread_create(&thread, nullptr, wait_with, &mutex);
  pthread_mutex_lock(&mutex);
  __atomic_store_n(&ready, true, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, nullptr);
  pthread_cond_destroy(&condition);
}
void destroy_a_barrier_with_a_waiter() {
  pthread_barrier_init(&barrier, nullptr, 2);
  std::thread waiter([] { pthread_barrier_wait(&barrier); });
  timespec pause = {0, 50'000'000};
  nanosleep(&pause, nullptr);
  if (pthread_barrier_destroy(&barrier) == 0) std::_Exit(0);  // the waiter has not come yet
  pthread_barrier_wait(&barrier);
  waiter.join();
}
void destroy_a_barrier_after_its_round() {
  pthread_barrier_init(&barrier, nullptr, 2);
  const auto come = [] { pthread_barrier_wait(&barrier); };
  std::thread first(come);
  std::thread second(come);
  first.join();
  second.join();
  pthread_barrier_destroy(&barrier);
}

// ---- order

template <class First, class Second>
void one_after_the_other(First first, Second second) {
  std::thread(first).join();
  std::thread(second).join();
}

void take_mutexes_in_two_orders() {
  one_after_the_other(
      [] {
        pthread_mutex_lock(&mutex);
        pthread_mutex_lock(&other);
        pthread_mutex_unlock(&other);
        pthread_mutex_unlock(&mutex);
      },
      [] {
        pthread_mutex_lock(&other);
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        pthread_mutex_unlock(&other);
      });
}
void write_and_lock_in_two_orders() {
  one_after_the_other(
      [] {
        pthread_mutex_lock(&mutex);
        pthread_rwlock_rdlock(&lock);
        pthread_rwlock_unlock(&lock);
        pthread_mutex_unlock(&mutex);
      },
      [] {
        pthread_rwlock_wrlock(&lock);
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_unlock(&lock);
      });
}
void read_and_lock_in_two_orders() {
  one_after_the_other(
      [] {
        pthread_mutex_lock(&mutex);
        pthread_rwlock_rdlock(&lock);
        pthread_rwlock_unlock(&lock);
        pthread_mutex_unlock(&mutex);
      },
      [] {
        pthread_rwlock_rdlock(&lock);
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_unlock(&lock);
      });
}
void read_and_write_in_two_orders() {
  one_after_the_other(
      [] {
        pthread_rwlock_rdlock(&lock);
        pthread_rwlock_wrlock(&second_lock);
        pthread_rwlock_unlock(&second_lock);
        pthread_rwlock_unlock(&lock);
      },
      [] {
        pthread_rwlock_rdlock(&second_lock);
        pthread_rwlock_wrlock(&lock);
        pthread_rwlock_unlock(&lock);
        pthread_rwlock_unlock(&second_lock);
      });
}
void read_in_two_orders_below_a_writer() {
  one_after_the_other(
      [] {
        pthread_rwlock_wrlock(&second_lock);
        pthread_mutex_lock(&mutex);
        pthread_mutex_lock(&other);
        pthread_mutex_unlock(&other);
        pthread_mutex_unlock(&mutex);
        pthread_rwlock_unlock(&second_lock);
      },
      [] {
        pthread_rwlock_rdlock(&second_lock);
        pthread_mutex_lock(&other);
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        pthread_mutex_unlock(&other);
        pthread_rwlock_unlock(&second_lock);
      });
}

struct MisuseCheck {
  const char* name;
  const char* expected;
  void (*run)();
};

#define MISUSE(name, expected) \
  MisuseCheck { #name, expected, name }

const MisuseCheck kChecks[] = {
    MISUSE(unlock_what_nobody_holds, kNotHeld),
    MISUSE(unlock_twice_recursively, kNotHeld),
    MISUSE(unlock_what_main_holds, kHeldByAnother),
    MISUSE(unlock_a_spin_lock_that_is_open, kNotHeld),
    MISUSE(unlock_an_open_read_write_lock, kNotHeld),
    MISUSE(unlock_what_main_writes, kHeldByAnother),
    MISUSE(unlock_what_main_reads, kHeldByAnother),
    MISUSE(wait_without_the_mutex, kNotHeld),
    MISUSE(write_what_is_read, kNothing),
    MISUSE(write_what_is_written, kHeldByItself),
    MISUSE(read_again, kNothing),
    MISUSE(lock_a_recursive_mutex_again, kNothing),
    MISUSE(destroy_a_held_mutex, kDestroyedHeld),
    MISUSE(destroy_a_read_lock, kDestroyedHeld),
    MISUSE(free_a_held_mutex, kFreedHeld),
    MISUSE(end_with_a_mutex, kHeldAtEnd),
    MISUSE(end_with_a_read_lock, kHeldAtEnd),
    MISUSE(end_with_a_spin_lock, kHeldAtEnd),
    MISUSE(end_with_a_robust_mutex, kNothing),
    MISUSE(end_cancelled_with_a_mutex, kHeldAtEnd),
    MISUSE(lock_a_destroyed_mutex, kDestroyed),
    MISUSE(read_a_destroyed_lock, kDestroyed),
    MISUSE(signal_a_destroyed_condition, kDestroyed),
    MISUSE(post_a_destroyed_semaphore, kDestroyed),
    MISUSE(destroy_a_barrier_that_never_was, kDestroyed),
    MISUSE(begin_again, kNothing),
    MISUSE(wait_with_two_mutexes, kTwoMutexes),
    MISUSE(wait_with_one_mutex, kNothing),
    MISUSE(initialise_what_is_waited_for, kInitialisedWaited),
    MISUSE(destroy_after_a_broadcast, kNothing),
    MISUSE(destroy_a_barrier_with_a_waiter, kDestroyedWaited),
    MISUSE(destroy_a_barrier_after_its_round, kNothing),
    MISUSE(take_mutexes_in_two_orders, kOrder),
    MISUSE(write_and_lock_in_two_orders, kOrder),
    MISUSE(read_and_lock_in_two_orders, kNothing),
    MISUSE(read_and_write_in_two_orders, kOrder),
    MISUSE(read_in_two_orders_below_a_writer, kNothing),
};

}  // namespace

// Without an argument: the names of the checks, each with what must be reported.
int main(int argc, char** argv) {
  for (const MisuseCheck& check : kChecks) {
    if (argc < 2) {
      std::printf("%s: %s\n", check.name, check.expected);
    } else if (std::strcmp(argv[1], check.name) == 0) {
      check.run();
    }
  }
  return 0;
}
