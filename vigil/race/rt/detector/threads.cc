// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/threads.h"

#include <linux/membarrier.h>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/shadow_memory.h"
#include "vigil/race/rt/detector/sync_objects.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/syscall.h"

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

struct State {
  SpinLock world_lock;  // of the thread that stops the world; taken before `lock`, never inside
  SpinLock lock;        // over all that follows
  Thread* table[kThreads];
  std::uint32_t table_size;
  std::uint32_t numbers;
  Slot slots_used;
  Thread* ended_first;
  Thread* ended_last;
  SlotOwners owners[kSlots];
  ThreadInfo* infos;
  bool can_stop_world;
  bool fast_path_disabled;
};
constinit State state = {};

void own_slot(Thread& thread, Slot slot, Epoch first) {
  thread.slot = slot;
  thread.has_slot = true;
  thread.clock.set(slot, first);
  SlotOwners& of_slot = state.owners[slot];
  of_slot.last[of_slot.count++ % kOwners] = {first, thread.number};
}

// The main thread and threads that run have their base in thread-local memory.
void publish_base(Thread& thread) {
  if (thread.base == nullptr) return;
  const Epoch shown = state.fast_path_disabled ? 0 : thread.clock.epoch(thread.slot);
  *thread.base = thread.has_slot ? cell_base(thread.slot, shown) : 0;
}

void remove_ended(Thread* previous, Thread* thread) {
  (previous != nullptr ? previous->next_ended : state.ended_first) = thread->next_ended;
  if (state.ended_last == thread) state.ended_last = previous;
  thread->next_ended = nullptr;
}

bool has_epochs(const Thread& ended) {
  return ended.has_slot && ended.clock.epoch(ended.slot) < kEpochMax - kEpochsLeftMin;
}

// An ended thread whose slot can be used on. With a creator: only one whose end it knows.
Thread* take_ended(const Thread* creator) {
  Thread* previous = nullptr;
  Thread* thread = state.ended_first;
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
  if (state.table_size == kThreads) return nullptr;
  // Zeroed memory is a Thread in its first state; constructing it would touch all its pages.
  auto* const thread = static_cast<Thread*>(map_reserved(sizeof(Thread)));
  thread->frames = map_array<Frame>(Thread::kFrames);
  state.table[state.table_size] = thread;
  __atomic_store_n(&state.table_size, state.table_size + 1, __ATOMIC_RELEASE);
  return thread;
}

// A Thread with a slot, by the rules at the top of threads.h.
Thread* take_thread(const Thread& creator) {
  if (Thread* const known = take_ended(&creator)) {
    const Slot slot = known->slot;
    const Epoch last = known->clock.epoch(slot);
    known->number = state.numbers++;
    known->clock.assign(creator.clock);
    own_slot(*known, slot, last + 1);
    return known;
  }
  if (state.slots_used == kSlots) {
    if (Thread* const stranger = take_ended(nullptr)) {
      stranger->number = state.numbers++;
      stranger->clock.join(creator.clock);
      own_slot(*stranger, stranger->slot, stranger->clock.epoch(stranger->slot) + 1);
      return stranger;
    }
  }
  Thread* thread = state.ended_first;
  if (thread != nullptr && !has_epochs(*thread)) {
    remove_ended(nullptr, thread);
    thread->has_slot = false;
  } else {
    thread = new_thread();
  }
  if (thread == nullptr) return nullptr;
  thread->number = state.numbers++;
  thread->clock.assign(creator.clock);
  if (state.slots_used < kSlots) own_slot(*thread, state.slots_used++, 1);
  return thread;
}

void enter_ended(Thread& thread) {
  thread.next_ended = nullptr;
  (state.ended_last != nullptr ? state.ended_last->next_ended : state.ended_first) = &thread;
  state.ended_last = &thread;
}

}  // namespace

void threads_init() {
  stack_tree.init(map_array<StackTree::Node>(StackTree::kNodes),
                  map_array<std::uint32_t>(StackTree::kHeads));
  state.infos = map_array<ThreadInfo>(kThreadInfos);
  state.can_stop_world =
      raw_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  Thread* const thread = new_thread();
  thread->number = state.numbers++;
  own_slot(*thread, state.slots_used++, 1);
  raw_copy_text(state.infos[0].name, "main");
  thread->ignoring = 1;
  become(*thread);
}

void disable_fast_path() { state.fast_path_disabled = true; }

ThreadInfo& thread_info(std::uint32_t number) {
  return state.infos[number < kThreadInfos ? number : kThreadInfos - 1];
}

std::uint32_t thread_count() { return __atomic_load_n(&state.numbers, __ATOMIC_RELAXED); }

std::uint32_t thread_number_at(Moment at) {
  const SlotOwners& of_slot = state.owners[slot_of_moment(at)];
  for (std::uint32_t back = 1; back <= of_slot.count && back <= kOwners; ++back) {
    const SlotOwner& owner = of_slot.last[(of_slot.count - back) % kOwners];
    if (owner.first <= epoch_of_moment(at)) return owner.number;
  }
  return of_slot.last[0].number;
}

const Thread* thread_with_stack(Address address) {
  const SpinGuard guard(state.lock);
  for (std::uint32_t index = 0; index < state.table_size; ++index) {
    const Thread& thread = *state.table[index];
    if (thread.state == ThreadState::kRunning && address >= thread.stack_begin &&
        address < thread.stack_end) {
      return &thread;
    }
  }
  return nullptr;
}

StackId stack_slow_path(Thread& thread) {
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

// Waits until no other thread is inside, and keeps it so until resume_world(). A thread that waits
// for state.lock may be inside: stop the world first, then take that lock. REQUIRES:
// state.world_lock, and the caller is not inside.
void stop_world() {
  __atomic_store_n(&world_stopped, 1, __ATOMIC_SEQ_CST);
  raw_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  for (std::uint32_t index = 0; index < __atomic_load_n(&state.table_size, __ATOMIC_ACQUIRE);
       ++index) {
    const Thread& thread = *state.table[index];
    if (&thread == thread_self) continue;
    while (__atomic_load_n(&thread.inside, __ATOMIC_ACQUIRE) != 0) raw_syscall(SYS_sched_yield);
  }
}

void resume_world() { __atomic_store_n(&world_stopped, 0, __ATOMIC_RELEASE); }

void forget_fence(VectorClock* fence) {
  if (fence != nullptr) fence->clear();
}

// Everything recorded is forgotten, and every thread starts at epoch 1 of a slot of its own.
// REQUIRES: state.lock, and no other thread inside.
void reset_history() {
  forget_all_accesses();
  forget_all_clocks();
  state.slots_used = 0;
  for (SlotOwners& of_slot : state.owners) of_slot.count = 0;
  for (std::uint32_t index = 0; index < state.table_size; ++index) {
    Thread& thread = *state.table[index];
    thread.clock.clear();
    forget_fence(thread.acquire_fence);
    forget_fence(thread.release_fence);
    thread.exhausted = false;
    thread.has_slot = false;
    const bool alive =
        thread.state == ThreadState::kCreated || thread.state == ThreadState::kRunning;
    if (alive && state.slots_used < kSlots) own_slot(thread, state.slots_used++, 1);
    publish_base(thread);
  }
}

// Whether the thread goes on without forgetting anything.
bool take_next_slot(Thread& thread) {
  const SpinGuard guard(state.lock);
  if (state.slots_used < kSlots) {
    own_slot(thread, state.slots_used++, 1);
  } else if (state.can_stop_world) {
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
  const SpinGuard world(state.world_lock);
  if (!thread.exhausted) return;  // another thread reset everything meanwhile
  stop_world();
  {
    const SpinGuard guard(state.lock);
    reset_history();
  }
  resume_world();
}

// ---- the life of a thread

Thread* add_thread(Thread& creator, Address pc) {
  const InsideScope inside(creator);
  const SpinGuard guard(state.lock);
  Thread* const thread = take_thread(creator);
  if (thread == nullptr) return nullptr;
  thread->state = ThreadState::kCreated;
  thread->released = false;
  thread->ignoring = 0;
  thread->held_count = 0;
  thread->resting = nullptr;
  ThreadInfo& info = thread_info(thread->number);
  info.created_by = creator.number;
  info.created_at = stack_at(creator, pc);
  next_epoch(creator);
  return thread;
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

void leave(Thread& thread) {
  thread_self = nullptr;
  thread_base = 0;
  thread_frame = nullptr;
  const SpinGuard guard(state.lock);
  thread.base = nullptr;
  thread.state = ThreadState::kFinished;
  forget_fence(thread.acquire_fence);
  forget_fence(thread.release_fence);
  if (thread.released) enter_ended(thread);
}

void exchange(Thread& from, Thread& to) {
  from.resting = thread_frame;
  {
    const SpinGuard guard(state.lock);
    from.base = nullptr;
  }
  thread_self = nullptr;
  Frame* const rested = to.resting;
  become(to);
  if (rested != nullptr) thread_frame = rested;
}

void abandon_thread(Thread& thread) {
  {
    const SpinGuard guard(state.lock);
    thread.state = ThreadState::kFinished;
  }
  release_thread(thread);
}

void release_thread(Thread& thread) {
  const SpinGuard guard(state.lock);
  if (thread.released) return;
  thread.released = true;
  if (thread.state == ThreadState::kFinished) enter_ended(thread);
}

void stop_threads() {
  state.world_lock.lock();
  if (state.can_stop_world) stop_world();
  state.lock.lock();
}

void resume_threads() {
  state.lock.unlock();
  resume_world();
  state.world_lock.unlock();
}

namespace {

// The only thread of a forked child: what the others did in the parent happened before the fork.
void know_everything(Thread& survivor) {
  // Slots that no thread is in are used up and never given again.
  for (Slot slot = 0; slot < state.slots_used; ++slot) {
    if (slot != survivor.slot) survivor.clock.set(slot, kEpochMax);
  }
  for (std::uint32_t index = 0; index < state.table_size; ++index) {
    const Thread& thread = *state.table[index];
    if (&thread == &survivor || !thread.has_slot) continue;
    survivor.clock.set(thread.slot, thread.clock.epoch(thread.slot));
  }
}

// A thread of the parent, in the child: as if it had been joined.
void end_in_child(Thread& thread) {
  thread.inside = 0;
  thread.base = nullptr;
  const bool in_list = thread.state == ThreadState::kFinished && thread.released;
  thread.state = ThreadState::kFinished;
  thread.released = true;
  if (!in_list) enter_ended(thread);
}

}  // namespace

void forget_other_threads() {
  if (thread_self != nullptr) know_everything(*thread_self);
  for (std::uint32_t index = 0; index < state.table_size; ++index) {
    Thread& thread = *state.table[index];
    if (&thread != thread_self) end_in_child(thread);
  }
}

// ---- detector.h

Thread* current_thread() { return thread_self; }
std::uint32_t thread_number(const Thread* thread) { return thread->number; }

void thread_named(Thread* thread, const char* name) {
  if (thread != nullptr) raw_copy_text(thread_info(thread->number).name, name);
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

RecordScope::RecordScope() : before_(0) {
  if (thread_self == nullptr || !detection_on) return;
  before_ = thread_self->ignoring;
  thread_self->ignoring = 0;
}
RecordScope::~RecordScope() {
  if (thread_self != nullptr) thread_self->ignoring += before_;
}

}  // namespace vigil::race
