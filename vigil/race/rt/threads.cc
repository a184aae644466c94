// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/threads.h"

#include <linux/membarrier.h>
#include <pthread.h>

#include "vigil/race/rt/controlled.h"
#include "vigil/race/rt/heap.h"
#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/raw_memory.h"
#include "vigil/race/rt/raw_syscall.h"
#include "vigil/race/rt/records.h"
#include "vigil/race/rt/shadow.h"
#include "vigil/race/rt/sync.h"

namespace vigil::race {

thread_local constinit Cell thread_base = 0;
thread_local constinit Frame* thread_frame = nullptr;
thread_local constinit Thread* thread_self = nullptr;
bool detection_on = false;
StackTree stack_tree;
int world_stopped = 0;

namespace {

constexpr std::uint32_t kThreads = 1 << 14;       // alive at the same time
constexpr std::uint32_t kThreadInfos = 1 << 22;   // in total, with names and places of creation
constexpr std::uint32_t kOwners = 16;             // of one slot, remembered
constexpr int kEndedLookedAt = 16;                // for a slot whose end the creator knows
constexpr Epoch kEpochsLeftMin = kEpochMax / 16;  // for a slot to be given to another thread

struct SlotOwner {
  Epoch first;
  std::uint32_t number;
};
struct SlotOwners {
  std::uint32_t count;
  SlotOwner last[kOwners];
};

SpinLock world_lock;  // who may stop the world; taken before table_lock, never inside
SpinLock table_lock;
Thread* table[kThreads];
std::uint32_t table_size = 0;
std::uint32_t numbers = 0;
Slot slots_used = 0;
Thread* ended_first = nullptr;
Thread* ended_last = nullptr;
SlotOwners owners[kSlots];
ThreadInfo* infos = nullptr;
bool can_stop_world = false;

void own_slot(Thread& thread, Slot slot, Epoch first) {
  thread.slot = slot;
  thread.has_slot = true;
  thread.clock.set(slot, first);
  SlotOwners& of_slot = owners[slot];
  of_slot.last[of_slot.count++ % kOwners] = {first, thread.number};
}

// The main thread and threads that run have their base in thread-local memory.
void publish_base(Thread& thread) {
  if (thread.base == nullptr) return;
  const Epoch shown = points_at_memory() ? 0 : thread.clock.epoch(thread.slot);
  *thread.base = thread.has_slot ? cell_base(thread.slot, shown) : 0;
}

void remove_ended(Thread* previous, Thread* thread) {
  (previous != nullptr ? previous->next_ended : ended_first) = thread->next_ended;
  if (ended_last == thread) ended_last = previous;
  thread->next_ended = nullptr;
}

bool has_epochs(const Thread& ended) {
  return ended.has_slot && ended.clock.epoch(ended.slot) < kEpochMax - kEpochsLeftMin;
}

// An ended thread whose slot can be used on. With a creator: only one whose end it knows.
Thread* take_ended(const Thread* creator) {
  Thread* previous = nullptr;
  Thread* thread = ended_first;
  for (int looked = 0; thread != nullptr && looked < kEndedLookedAt; ++looked) {
    if (has_epochs(*thread) && (creator == nullptr || creator->clock.knows(thread->now()))) {
      remove_ended(previous, thread);
      return thread;
    }
    previous = thread;
    thread = thread->next_ended;
  }
  return nullptr;
}

Thread* new_thread() {
  if (table_size == kThreads) return nullptr;
  // Zeroed memory is a Thread in its first state; constructing it would touch all its pages.
  auto* const thread = static_cast<Thread*>(map_reserved(sizeof(Thread)));
  thread->frames = map_array<Frame>(Thread::kFrames);
  table[table_size] = thread;
  __atomic_store_n(&table_size, table_size + 1, __ATOMIC_RELEASE);
  return thread;
}

// A Thread with a slot, by the rules at the top of threads.h.
Thread* take_thread(const Thread& creator) {
  if (Thread* const known = take_ended(&creator)) {
    const Slot slot = known->slot;
    const Epoch last = known->clock.epoch(slot);
    known->number = numbers++;
    known->clock.assign(creator.clock);
    own_slot(*known, slot, last + 1);
    return known;
  }
  if (slots_used == kSlots) {
    if (Thread* const stranger = take_ended(nullptr)) {
      stranger->number = numbers++;
      stranger->clock.join(creator.clock);
      own_slot(*stranger, stranger->slot, stranger->clock.epoch(stranger->slot) + 1);
      return stranger;
    }
  }
  Thread* thread = ended_first;
  if (thread != nullptr && !has_epochs(*thread)) {
    remove_ended(nullptr, thread);
    thread->has_slot = false;
  } else {
    thread = new_thread();
  }
  if (thread == nullptr) return nullptr;
  thread->number = numbers++;
  thread->clock.assign(creator.clock);
  if (slots_used < kSlots) own_slot(*thread, slots_used++, 1);
  return thread;
}

void enter_ended(Thread& thread) {
  thread.next_ended = nullptr;
  (ended_last != nullptr ? ended_last->next_ended : ended_first) = &thread;
  ended_last = &thread;
}

void release_thread(Thread& thread) {
  const SpinGuard guard(table_lock);
  if (thread.released) return;
  thread.released = true;
  if (thread.state == ThreadState::kFinished) enter_ended(thread);
}

void become(Thread& thread) {
  thread.state = ThreadState::kRunning;
  thread.base = &thread_base;
  thread_frame = thread.frames;
  publish_base(thread);
  // Last: a signal handler that finds thread_self finds everything else, too.
  asm volatile("" : : : "memory");
  thread_self = &thread;
}

void find_stack(Thread& thread) {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  void* begin = nullptr;
  std::size_t size = 0;
  pthread_attr_getstack(&attributes, &begin, &size);
  pthread_attr_destroy(&attributes);
  thread.stack_begin = reinterpret_cast<Address>(begin);
  thread.stack_end = thread.stack_begin + size;
}

}  // namespace

void threads_init() {
  stack_tree.init(map_array<StackTree::Node>(StackTree::kNodes),
                  map_array<std::uint32_t>(StackTree::kHeads));
  infos = map_array<ThreadInfo>(kThreadInfos);
  can_stop_world =
      raw_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  Thread* const thread = new_thread();
  thread->number = numbers++;
  own_slot(*thread, slots_used++, 1);
  raw_copy_text(infos[0].name, "main");
  become(*thread);
  // Registered before any handler of the program: ours is the last before the fork and the first
  // after it, so the program's handlers may lock and allocate.
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

ThreadInfo& thread_info(std::uint32_t number) {
  return infos[number < kThreadInfos ? number : kThreadInfos - 1];
}

std::uint32_t thread_count() { return __atomic_load_n(&numbers, __ATOMIC_RELAXED); }

std::uint32_t thread_number_at(Moment at) {
  const SlotOwners& of_slot = owners[slot_of_moment(at)];
  for (std::uint32_t back = 1; back <= of_slot.count && back <= kOwners; ++back) {
    const SlotOwner& owner = of_slot.last[(of_slot.count - back) % kOwners];
    if (owner.first <= epoch_of_moment(at)) return owner.number;
  }
  return of_slot.last[0].number;
}

const Thread* thread_with_stack(Address address) {
  const SpinGuard guard(table_lock);
  for (std::uint32_t index = 0; index < table_size; ++index) {
    const Thread& thread = *table[index];
    if (thread.state == ThreadState::kRunning && address >= thread.stack_begin &&
        address < thread.stack_end) {
      return &thread;
    }
  }
  return nullptr;
}

StackId stack_slowly(Thread& thread) {
  Frame* const top = thread_frame;
  Frame* known = top;
  while (known->stack == 0 && known != thread.frames) --known;
  for (; known != top; ++known) {
    // A full tree and the empty stack have no number of their own: then the caller's stands in.
    const StackId stack = thread.stacks.push(stack_tree, known[0].stack, known[1].pc);
    known[1].stack = stack != 0 ? stack : known[0].stack;
  }
  return top->stack;
}

void next_epoch(Thread& thread) {
  if (!thread.has_slot) return;
  const Epoch epoch = thread.clock.epoch(thread.slot);
  if (epoch == kEpochMax) {
    thread.exhausted = true;
    return;
  }
  thread.clock.set(thread.slot, epoch + 1);
  publish_base(thread);
}

// ---- stopping the world

void wait_for_world(Thread& thread) {
  while (__atomic_load_n(&world_stopped, __ATOMIC_ACQUIRE) != 0) {
    __atomic_store_n(&thread.inside, 0, __ATOMIC_RELEASE);
    while (__atomic_load_n(&world_stopped, __ATOMIC_ACQUIRE) != 0) raw_syscall(SYS_sched_yield);
    thread.inside = 1;
    asm volatile("" : : : "memory");
  }
}

namespace {

// Waits until nobody else is inside, and keeps it so until resume_world(). Whoever waits for
// table_lock may be inside: stop the world first, then take that lock.
// REQUIRES: world_lock, and the caller is not inside.
void stop_world() {
  __atomic_store_n(&world_stopped, 1, __ATOMIC_SEQ_CST);
  raw_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  for (std::uint32_t index = 0; index < __atomic_load_n(&table_size, __ATOMIC_ACQUIRE); ++index) {
    const Thread& thread = *table[index];
    if (&thread == thread_self) continue;
    while (__atomic_load_n(&thread.inside, __ATOMIC_ACQUIRE) != 0) raw_syscall(SYS_sched_yield);
  }
}

void resume_world() { __atomic_store_n(&world_stopped, 0, __ATOMIC_RELEASE); }

void forget_fence(VectorClock* fence) {
  if (fence != nullptr) fence->clear();
}

// Everything recorded is forgotten, and every thread starts at epoch 1 of a slot of its own.
// REQUIRES: table_lock, and nobody else inside.
void reset_history() {
  forget_all_accesses();
  forget_all_clocks();
  slots_used = 0;
  for (SlotOwners& of_slot : owners) of_slot.count = 0;
  for (std::uint32_t index = 0; index < table_size; ++index) {
    Thread& thread = *table[index];
    thread.clock.clear();
    forget_fence(thread.acquire_fence);
    forget_fence(thread.release_fence);
    thread.exhausted = false;
    thread.has_slot = false;
    const bool alive =
        thread.state == ThreadState::kCreated || thread.state == ThreadState::kRunning;
    if (alive && slots_used < kSlots) own_slot(thread, slots_used++, 1);
    publish_base(thread);
  }
}

}  // namespace

namespace {

// Whether the thread goes on without forgetting anything.
bool take_next_slot(Thread& thread) {
  const SpinGuard guard(table_lock);
  if (slots_used < kSlots) {
    own_slot(thread, slots_used++, 1);
  } else if (can_stop_world) {
    return false;
  } else {
    thread.has_slot = false;
  }
  thread.exhausted = false;
  publish_base(thread);
  return true;
}

}  // namespace

void leave_exhausted(Thread& thread) {
  if (thread.inside != 0 || take_next_slot(thread)) return;
  const SpinGuard world(world_lock);
  if (!thread.exhausted) return;  // another thread reset everything meanwhile
  stop_world();
  {
    const SpinGuard guard(table_lock);
    reset_history();
  }
  resume_world();
}

// ---- detector.h

Thread* current_thread() { return thread_self; }
bool detecting() { return detection_on; }
std::uint32_t thread_number(const Thread* thread) { return thread->number; }

Thread* thread_created(Address pc) {
  Thread* const creator = thread_self;
  if (creator == nullptr) return nullptr;
  detection_on = true;
  const InsideScope inside(*creator);
  const SpinGuard guard(table_lock);
  Thread* const thread = take_thread(*creator);
  if (thread == nullptr) return nullptr;
  thread->state = ThreadState::kCreated;
  thread->released = false;
  thread->ignoring = 0;
  thread->held_count = 0;
  ThreadInfo& info = thread_info(thread->number);
  info.created_by = creator->number;
  info.created_at = stack_at(*creator, pc);
  next_epoch(*creator);
  return thread;
}

void thread_abandoned(Thread* thread) {
  if (thread == nullptr) return;
  {
    const SpinGuard guard(table_lock);
    thread->state = ThreadState::kFinished;
  }
  release_thread(*thread);
}

void thread_started(Thread* thread) {
  if (thread == nullptr) return;
  become(*thread);
  const IgnoreScope ignore;
  find_stack(*thread);
  // The stack may have been another thread's before.
  memory_reset(reinterpret_cast<void*>(thread->stack_begin),
               thread->stack_end - thread->stack_begin);
}

void thread_finished() {
  Thread* const thread = thread_self;
  if (thread == nullptr) return;
  heap_thread_finished(thread->heap);
  thread_self = nullptr;
  thread_base = 0;
  thread_frame = nullptr;
  const SpinGuard guard(table_lock);
  thread->base = nullptr;
  thread->state = ThreadState::kFinished;
  forget_fence(thread->acquire_fence);
  forget_fence(thread->release_fence);
  if (thread->released) enter_ended(*thread);
}

void thread_joined(Thread* thread) {
  if (thread == nullptr) return;
  if (Thread* const self = thread_self) {
    const InsideScope inside(*self);
    self->clock.join(thread->clock);
  }
  release_thread(*thread);
}

void thread_detached(Thread* thread) {
  if (thread != nullptr) release_thread(*thread);
}

void thread_named(Thread* thread, const char* name) {
  if (thread != nullptr) raw_copy_text(thread_info(thread->number).name, name);
}

void before_fork() {
  world_lock.lock();
  if (can_stop_world) stop_world();
  table_lock.lock();
  heap_lock();
}

void after_fork() {
  heap_unlock();
  table_lock.unlock();
  resume_world();
  world_lock.unlock();
}

void after_fork_in_child() {
  after_fork();
  for (std::uint32_t index = 0; index < table_size; ++index) {
    Thread& thread = *table[index];
    if (&thread == thread_self) continue;
    thread.inside = 0;
    thread.base = nullptr;
    thread.state = ThreadState::kFinished;
  }
  records_after_fork();
}

FrameScope::FrameScope(Address pc) : frame_(thread_frame) {
  Frame* const frame = thread_frame;
  if (frame == nullptr) return;
  frame[1] = {pc, 0};
  thread_frame = frame + 1;
}

FrameScope::~FrameScope() {
  if (frame_ != nullptr) thread_frame = static_cast<Frame*>(frame_);
}

void* frame_mark() { return thread_frame; }
void frame_restore(void* mark) {
  if (mark != nullptr) thread_frame = static_cast<Frame*>(mark);
}

StackId current_stack(Address pc) {
  return thread_self != nullptr ? stack_at(*thread_self, pc) : 0;
}

IgnoreScope::IgnoreScope() {
  if (thread_self != nullptr) ++thread_self->ignoring;
}
IgnoreScope::~IgnoreScope() {
  if (thread_self != nullptr) --thread_self->ignoring;
}

}  // namespace vigil::race
