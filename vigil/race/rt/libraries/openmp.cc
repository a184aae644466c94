// SPDX-License-Identifier: Apache-2.0
//
// OpenMP as g++ compiles it: libgomp orders its threads by system calls of its own, so the edges
// are made here, at the calls that the compiler emits.
//
//   parallel region   what the creator did happens before its members, they before what follows
//   barrier           as a pthread_barrier: the clocks of even and odd rounds take turns
//   critical, atomic, omp_*_lock   locks
//   ordered, copyprivate   who waits learns what those before it did
//   task              knows what its creator did; waiting for tasks teaches what all ended ones did
//
// A region's function and a task's are wrapped, so that their begin and end are seen. Tasks with
// `depend` know what all tasks did that ended before: that may hide a race and invents none. The
// library of clang (libomp) is not known.
//
// Controlled: all members take part in the schedule; what blocks in the library is outside of it.
#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/c_library.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/thread_handles.h"

namespace vigil::race {
namespace {

using Body = void (*)(void*);

struct alignas(8) Clock {
  char bytes[8];
};

// A parallel region, on the stack of the thread that began it. Its first word is that of the
// region's data: the library looks there for reductions.
struct Team {
  void* first_word;
  Body body;
  void* data;
  Clock begin;
  Clock end;
  Clock rounds[2];
  Clock order;
  Clock ended_tasks;
};

// Of the calling thread: the innermost region that it is a member of.
struct Membership {
  Team* team = nullptr;
  std::uint32_t round = 0;
};
thread_local constinit Membership own [[gnu::tls_model("initial-exec")]];

// Where members wait for each other, and for work.
void back_into_the_library() { controlled_step_outside("OpenMP"); }

void run_member(void* given) {
  const OrdinaryThreads created;
  auto& team = *static_cast<Team*>(given);
  const Membership outer = own;
  own = {&team, 0};
  scheduling_point(PointKind::kSync, &team);
  acquire(&team.begin);
  team.body(team.data);
  release_merge(&team.end);
  own = outer;
  back_into_the_library();
}

// What the library allocates and frees for itself is nobody's access.
void note_library();

// `start` calls the library with a function and its data in place of the region's.
template <class Start>
auto in_a_region(Body body, void* data, Address pc, Start start) {
  const FrameScope frame(pc);
  note_library();
  Team team = {};
  team.first_word = data != nullptr ? *static_cast<void**>(data) : nullptr;
  team.body = body;
  team.data = data;
  release_store(&team.begin);
  struct End {
    Team* team;
    ~End() {
      scheduling_point(PointKind::kSync, team);
      acquire(&team->end);
      acquire(&team->ended_tasks);
      sync_destroyed(team, sizeof *team);
    }
  } const end{&team};
  const LibraryThreads created;
  back_into_the_library();
  return start(run_member, static_cast<void*>(&team));
}

// A call in which the members wait for each other.
template <class Wait>
auto at_a_barrier(Address pc, Wait wait) {
  const FrameScope frame(pc);
  Team* const team = own.team;
  if (team == nullptr) return wait();
  Clock* const round = &team->rounds[own.round++ % 2];
  scheduling_point(PointKind::kSync, round);
  release_merge(round);
  struct End {
    Team* team;
    Clock* round;
    ~End() {
      scheduling_point(PointKind::kSync, round);
      acquire(round);
      acquire(&team->ended_tasks);
    }
  } const end{team, round};
  back_into_the_library();
  return wait();
}

template <class Lock>
void lock(const volatile void* object, Address pc, Lock real) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, object);
  {
    const ExternalWait outside("OpenMP lock");
    real();
  }
  acquire(object);
  lock_acquired(object, LockKind::kMutex, pc);
}

int try_lock(void* object, Address pc, Real<int (*)(void*)>& real) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, object);
  const int depth = real(object);
  if (depth == 0) return 0;
  acquire(object);
  lock_acquired(object, LockKind::kMutex, pc);
  return depth;
}

template <class Unlock>
void unlock(const volatile void* object, Address pc, Unlock real) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, object);
  release_store(object);
  lock_released(object);
  real();
}

// Members wait for what those before them in the region's order did.
template <class Wait>
void wait_for_order(Address pc, Wait wait) {
  const FrameScope frame(pc);
  {
    const ExternalWait outside("OpenMP order");
    wait();
  }
  if (own.team != nullptr) acquire(&own.team->order);
}

void give_order() {
  if (own.team != nullptr) release_merge(&own.team->order);
}

template <class Wait>
void wait_for_tasks(Address pc, Wait wait) {
  const FrameScope frame(pc);
  back_into_the_library();
  wait();
  scheduling_point(PointKind::kSync, own.team);
  if (own.team != nullptr) acquire(&own.team->ended_tasks);
}

// ---- tasks

// What the library copies for a task: this, and behind it the task's data. It writes the bounds of
// a loop of tasks into the first two words, which is where the task's function looks for them in
// its data.
struct TaskHead {
  long bounds[2];
  Body body;
  std::size_t offset;  // of the data
  bool is_loop;
  bool depends;
  Team* team;  // null outside of regions
  Clock created;
};

// What the library is given to copy from. The first words are those of the data: the library looks
// there for reductions.
struct TaskSource {
  void* first_words[3];
  const void* data;
  std::size_t size;
  void (*copy)(void*, void*);  // by the compiler; null: byte by byte
  TaskHead head;
};

void run_task(void* given) {
  auto* const head = static_cast<TaskHead*>(given);
  void* const data = static_cast<char*>(given) + head->offset;
  if (head->is_loop) raw_move(data, head->bounds, sizeof head->bounds);
  // Its thread may be a member no more, and wait for the others at the region's end.
  Team* const team = head->team;
  const Membership outer = own;
  own.team = team;
  scheduling_point(PointKind::kSync, head);
  acquire(&head->created);
  if (head->depends && team != nullptr) acquire(&team->ended_tasks);
  head->body(data);
  own = outer;
  if (team != nullptr) release_merge(&team->ended_tasks);
  sync_destroyed(&head->created, sizeof head->created);
  back_into_the_library();
}

// Called by the creator.
void copy_task(void* to, void* given) {
  const auto* const source = static_cast<TaskSource*>(given);
  auto* const head = static_cast<TaskHead*>(to);
  raw_move(head, &source->head, sizeof *head);
  void* const data = static_cast<char*>(to) + head->offset;
  if (source->copy != nullptr) {
    source->copy(data, const_cast<void*>(source->data));
  } else {
    raw_move(data, source->data, source->size);
  }
  release_store(&head->created);
}

TaskSource source_of(Body body, void* data, void (*copy)(void*, void*), long size, long alignment) {
  TaskSource source = {};
  source.data = data;
  source.size = static_cast<std::size_t>(size);
  source.copy = copy;
  const auto unit = static_cast<std::size_t>(alignment > 0 ? alignment : 1);
  source.head.body = body;
  source.head.team = own.team;
  source.head.offset = (sizeof(TaskHead) + unit - 1) / unit * unit;
  if (source.size >= sizeof source.first_words)
    raw_move(source.first_words, data, sizeof source.first_words);
  return source;
}

long size_of(const TaskSource& source) {
  return static_cast<long>(source.head.offset + source.size);
}

long alignment_for(long alignment) {
  constexpr long kOwn = alignof(TaskHead);
  return alignment > kOwn ? alignment : kOwn;
}

// ---- the library's functions

using Region = void (*)(Body, void*, unsigned, unsigned);
using Reductions = unsigned (*)(Body, void*, unsigned, unsigned);
using Sections = void (*)(Body, void*, unsigned, unsigned, unsigned);
using Loop = void (*)(Body, void*, unsigned, long, long, long, unsigned);
using ChunkedLoop = void (*)(Body, void*, unsigned, long, long, long, long, unsigned);
using Call = void (*)();
using Ask = bool (*)();
using WithLock = void (*)(void*);
using TryLock = int (*)(void*);
using Task = void (*)(Body, void*, void (*)(void*, void*), long, long, bool, unsigned, void**, int,
                      void*);
using TaskLoop = void (*)(Body, void*, void (*)(void*, void*), long, long, unsigned, unsigned long,
                          int, long, long, long);

constexpr const char* kLibrary = "libgomp.so.1";

constinit Real<Region> real_parallel("GOMP_parallel", nullptr, kLibrary);
constinit Real<Reductions> real_parallel_reductions("GOMP_parallel_reductions", nullptr, kLibrary);
constinit Real<Sections> real_parallel_sections("GOMP_parallel_sections", nullptr, kLibrary);
constinit Real<Call> real_barrier("GOMP_barrier", nullptr, kLibrary);
constinit Real<Ask> real_barrier_cancel("GOMP_barrier_cancel", nullptr, kLibrary);
constinit Real<Call> real_loop_end("GOMP_loop_end", nullptr, kLibrary);
constinit Real<Ask> real_loop_end_cancel("GOMP_loop_end_cancel", nullptr, kLibrary);
constinit Real<Call> real_sections_end("GOMP_sections_end", nullptr, kLibrary);
constinit Real<Ask> real_sections_end_cancel("GOMP_sections_end_cancel", nullptr, kLibrary);
constinit Real<Call> real_critical_start("GOMP_critical_start", nullptr, kLibrary);
constinit Real<Call> real_critical_end("GOMP_critical_end", nullptr, kLibrary);
constinit Real<WithLock> real_critical_name_start("GOMP_critical_name_start", nullptr, kLibrary);
constinit Real<WithLock> real_critical_name_end("GOMP_critical_name_end", nullptr, kLibrary);
constinit Real<Call> real_atomic_start("GOMP_atomic_start", nullptr, kLibrary);
constinit Real<Call> real_atomic_end("GOMP_atomic_end", nullptr, kLibrary);
constinit Real<Call> real_ordered_start("GOMP_ordered_start", nullptr, kLibrary);
constinit Real<Call> real_ordered_end("GOMP_ordered_end", nullptr, kLibrary);
constinit Real<void* (*)()> real_single_copy_start("GOMP_single_copy_start", nullptr, kLibrary);
constinit Real<WithLock> real_single_copy_end("GOMP_single_copy_end", nullptr, kLibrary);
constinit Real<Task> real_task("GOMP_task", nullptr, kLibrary);
constinit Real<TaskLoop> real_taskloop("GOMP_taskloop", nullptr, kLibrary);
constinit Real<Call> real_taskwait("GOMP_taskwait", nullptr, kLibrary);
constinit Real<WithLock> real_taskwait_depend("GOMP_taskwait_depend", nullptr, kLibrary);
constinit Real<Call> real_taskgroup_end("GOMP_taskgroup_end", nullptr, kLibrary);
constinit Real<WithLock> real_set_lock("omp_set_lock", nullptr, kLibrary);
constinit Real<WithLock> real_unset_lock("omp_unset_lock", nullptr, kLibrary);
constinit Real<TryLock> real_test_lock("omp_test_lock", nullptr, kLibrary);
constinit Real<WithLock> real_set_nest_lock("omp_set_nest_lock", nullptr, kLibrary);
constinit Real<WithLock> real_unset_nest_lock("omp_unset_nest_lock", nullptr, kLibrary);
constinit Real<TryLock> real_test_nest_lock("omp_test_nest_lock", nullptr, kLibrary);

// The library's locks without a name are known by the functions that take them.
const void* name_of(Real<Call>& takes_it) { return reinterpret_cast<const void*>(takes_it.get()); }

void note_library() { openmp_library_loaded(reinterpret_cast<Address>(real_parallel.get())); }

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): the library's names.

// ---- parallel regions

VIGIL_INTERCEPTOR void GOMP_parallel(Body body, void* data, unsigned threads, unsigned flags) {
  in_a_region(body, data, VIGIL_CALLER_PC,
              [&](Body member, void* team) { real_parallel(member, team, threads, flags); });
}

VIGIL_INTERCEPTOR unsigned GOMP_parallel_reductions(Body body, void* data, unsigned threads,
                                                    unsigned flags) {
  return in_a_region(body, data, VIGIL_CALLER_PC, [&](Body member, void* team) {
    return real_parallel_reductions(member, team, threads, flags);
  });
}

VIGIL_INTERCEPTOR void GOMP_parallel_sections(Body body, void* data, unsigned threads,
                                              unsigned count, unsigned flags) {
  in_a_region(body, data, VIGIL_CALLER_PC, [&](Body member, void* team) {
    real_parallel_sections(member, team, threads, count, flags);
  });
}

// A region that is one loop: with a chunk's size or without.
#define VIGIL_OPENMP_LOOP(name)                                                              \
  VIGIL_INTERCEPTOR void name(Body body, void* data, unsigned threads, long begin, long end, \
                              long step, unsigned flags) {                                   \
    static constinit Real<Loop> real(#name, nullptr, kLibrary);                              \
    in_a_region(body, data, VIGIL_CALLER_PC, [&](Body member, void* team) {                  \
      real(member, team, threads, begin, end, step, flags);                                  \
    });                                                                                      \
  }
#define VIGIL_OPENMP_CHUNKED_LOOP(name)                                                      \
  VIGIL_INTERCEPTOR void name(Body body, void* data, unsigned threads, long begin, long end, \
                              long step, long chunk, unsigned flags) {                       \
    static constinit Real<ChunkedLoop> real(#name, nullptr, kLibrary);                       \
    in_a_region(body, data, VIGIL_CALLER_PC, [&](Body member, void* team) {                  \
      real(member, team, threads, begin, end, step, chunk, flags);                           \
    });                                                                                      \
  }

VIGIL_OPENMP_LOOP(GOMP_parallel_loop_runtime)
VIGIL_OPENMP_LOOP(GOMP_parallel_loop_nonmonotonic_runtime)
VIGIL_OPENMP_LOOP(GOMP_parallel_loop_maybe_nonmonotonic_runtime)
VIGIL_OPENMP_CHUNKED_LOOP(GOMP_parallel_loop_static)
VIGIL_OPENMP_CHUNKED_LOOP(GOMP_parallel_loop_dynamic)
VIGIL_OPENMP_CHUNKED_LOOP(GOMP_parallel_loop_guided)
VIGIL_OPENMP_CHUNKED_LOOP(GOMP_parallel_loop_nonmonotonic_dynamic)
VIGIL_OPENMP_CHUNKED_LOOP(GOMP_parallel_loop_nonmonotonic_guided)

// ---- barriers

VIGIL_INTERCEPTOR void GOMP_barrier() { at_a_barrier(VIGIL_CALLER_PC, real_barrier.get()); }
VIGIL_INTERCEPTOR bool GOMP_barrier_cancel() {
  return at_a_barrier(VIGIL_CALLER_PC, real_barrier_cancel.get());
}
VIGIL_INTERCEPTOR void GOMP_loop_end() { at_a_barrier(VIGIL_CALLER_PC, real_loop_end.get()); }
VIGIL_INTERCEPTOR bool GOMP_loop_end_cancel() {
  return at_a_barrier(VIGIL_CALLER_PC, real_loop_end_cancel.get());
}
VIGIL_INTERCEPTOR void GOMP_sections_end() {
  at_a_barrier(VIGIL_CALLER_PC, real_sections_end.get());
}
VIGIL_INTERCEPTOR bool GOMP_sections_end_cancel() {
  return at_a_barrier(VIGIL_CALLER_PC, real_sections_end_cancel.get());
}

// ---- locks

VIGIL_INTERCEPTOR void GOMP_critical_start() {
  lock(name_of(real_critical_start), VIGIL_CALLER_PC, real_critical_start.get());
}
VIGIL_INTERCEPTOR void GOMP_critical_end() {
  unlock(name_of(real_critical_start), VIGIL_CALLER_PC, real_critical_end.get());
}
VIGIL_INTERCEPTOR void GOMP_critical_name_start(void* name) {
  lock(name, VIGIL_CALLER_PC, [=] { real_critical_name_start(name); });
}
VIGIL_INTERCEPTOR void GOMP_critical_name_end(void* name) {
  unlock(name, VIGIL_CALLER_PC, [=] { real_critical_name_end(name); });
}
VIGIL_INTERCEPTOR void GOMP_atomic_start() {
  lock(name_of(real_atomic_start), VIGIL_CALLER_PC, real_atomic_start.get());
}
VIGIL_INTERCEPTOR void GOMP_atomic_end() {
  unlock(name_of(real_atomic_start), VIGIL_CALLER_PC, real_atomic_end.get());
}
VIGIL_INTERCEPTOR void omp_set_lock(void* object) {
  lock(object, VIGIL_CALLER_PC, [=] { real_set_lock(object); });
}
VIGIL_INTERCEPTOR void omp_unset_lock(void* object) {
  unlock(object, VIGIL_CALLER_PC, [=] { real_unset_lock(object); });
}
VIGIL_INTERCEPTOR int omp_test_lock(void* object) {
  return try_lock(object, VIGIL_CALLER_PC, real_test_lock);
}
VIGIL_INTERCEPTOR void omp_set_nest_lock(void* object) {
  lock(object, VIGIL_CALLER_PC, [=] { real_set_nest_lock(object); });
}
VIGIL_INTERCEPTOR void omp_unset_nest_lock(void* object) {
  unlock(object, VIGIL_CALLER_PC, [=] { real_unset_nest_lock(object); });
}
VIGIL_INTERCEPTOR int omp_test_nest_lock(void* object) {
  return try_lock(object, VIGIL_CALLER_PC, real_test_nest_lock);
}

// ---- order

VIGIL_INTERCEPTOR void GOMP_ordered_start() {
  wait_for_order(VIGIL_CALLER_PC, real_ordered_start.get());
}
VIGIL_INTERCEPTOR void GOMP_ordered_end() {
  give_order();
  real_ordered_end();
}

// Null for the one thread that does the work; the others wait for what it hands over.
VIGIL_INTERCEPTOR void* GOMP_single_copy_start() {
  void* copy = nullptr;
  wait_for_order(VIGIL_CALLER_PC, [&] { copy = real_single_copy_start(); });
  return copy;
}
VIGIL_INTERCEPTOR void GOMP_single_copy_end(void* copy) {
  give_order();
  real_single_copy_end(copy);
}

// ---- tasks

VIGIL_INTERCEPTOR void GOMP_task(Body body, void* data, void (*copy)(void*, void*), long size,
                                 long alignment, bool deferrable, unsigned flags, void** depends,
                                 int priority, void* detach) {
  constexpr unsigned kDepends = 1 << 3;
  constexpr unsigned kDetach = 1 << 13;
  const FrameScope frame(VIGIL_CALLER_PC);
  if (own.team == nullptr || (flags & kDetach) != 0) {
    real_task(body, data, copy, size, alignment, deferrable, flags, depends, priority, detach);
    return;
  }
  TaskSource source = source_of(body, data, copy, size, alignment);
  source.head.depends = (flags & kDepends) != 0;
  real_task(run_task, &source, copy_task, size_of(source), alignment_for(alignment), deferrable,
            flags, depends, priority, detach);
  scheduling_point(PointKind::kSync, own.team);
}

VIGIL_INTERCEPTOR void GOMP_taskloop(Body body, void* data, void (*copy)(void*, void*), long size,
                                     long alignment, unsigned flags, unsigned long tasks,
                                     int priority, long begin, long end, long step) {
  const FrameScope frame(VIGIL_CALLER_PC);
  TaskSource source = source_of(body, data, copy, size, alignment);
  source.head.is_loop = true;
  back_into_the_library();
  real_taskloop(run_task, &source, copy_task, size_of(source), alignment_for(alignment), flags,
                tasks, priority, begin, end, step);
  scheduling_point(PointKind::kSync, own.team);
  if (own.team != nullptr) acquire(&own.team->ended_tasks);
}

VIGIL_INTERCEPTOR void GOMP_taskwait() { wait_for_tasks(VIGIL_CALLER_PC, real_taskwait.get()); }
VIGIL_INTERCEPTOR void GOMP_taskwait_depend(void* depends) {
  wait_for_tasks(VIGIL_CALLER_PC, [=] { real_taskwait_depend(depends); });
}
VIGIL_INTERCEPTOR void GOMP_taskgroup_end() {
  wait_for_tasks(VIGIL_CALLER_PC, real_taskgroup_end.get());
}

// NOLINTEND(readability-identifier-naming)

}  // namespace vigil::race
