// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/sync.h"

#include "vigil/race/rt/shadow.h"

namespace vigil::race {
namespace {

constexpr std::uint32_t kObjects = 1 << 24;

SpinLock table_lock;  // over the free places and the making of objects
ClockPool pool;
SyncObject* objects = nullptr;
std::uint32_t objects_used = 1;
std::uint32_t free_object = 0;

// By 64 KiB of addresses: whether they ever held an object. Forgetting a stack or a large block
// looks through few of its pages.
constexpr unsigned kRegionBits = 16;
std::uint8_t* regions = nullptr;

std::uint8_t& region_of(Address address) { return regions[(address & kLowBits) >> kRegionBits]; }

std::uint32_t take_place() {
  if (free_object != 0) {
    const std::uint32_t place = free_object;
    free_object = objects[place].next;
    return place;
  }
  if (objects_used == kObjects) fail("more than 16 million synchronisation objects at a time");
  return objects_used++;
}

SyncObject* find_in_chain(std::uint32_t place, Address address) {
  while (place != 0 && objects[place].address != address) {
    place = __atomic_load_n(&objects[place].next, __ATOMIC_ACQUIRE);
  }
  return place != 0 ? &objects[place] : nullptr;
}

SyncObject& make_sync(Address address) {
  const SpinGuard guard(table_lock);
  std::uint32_t* const index = sync_index(address);
  if (SyncObject* const other_was_faster = find_in_chain(*index, address)) return *other_was_faster;
  const std::uint32_t place = take_place();
  SyncObject& object = objects[place];
  const SpinGuard object_guard(object.lock);
  object.holder = -1;
  object.held_since = 0;
  object.address = address;
  object.next = *index;
  region_of(address) = 1;
  __atomic_store_n(index, place, __ATOMIC_RELEASE);
  return object;
}

// Drops the objects of one word that lie in [begin, end).
void drop_syncs(std::uint32_t* index, Address begin, Address end) {
  const SpinGuard guard(table_lock);
  std::uint32_t* link = index;
  while (*link != 0) {
    const std::uint32_t place = *link;
    SyncObject& object = objects[place];
    if (object.address < begin || object.address >= end) {
      link = &object.next;
      continue;
    }
    __atomic_store_n(link, object.next, __ATOMIC_RELEASE);
    const SpinGuard object_guard(object.lock);
    object.address = 0;
    object.clock.clear(pool);
    object.next = free_object;
    free_object = place;
  }
}

}  // namespace

void sync_init() {
  objects = map_array<SyncObject>(kObjects);
  regions = map_array<std::uint8_t>((kLowBits + 1) >> kRegionBits);
  pool.init(allocate_forever);
}

SyncObject* find_sync(Address address) {
  return find_in_chain(__atomic_load_n(sync_index(address), __ATOMIC_ACQUIRE), address);
}

LockedSync::LockedSync(Address address) {
  while (true) {
    SyncObject* const found = find_sync(address);
    object_ = found != nullptr ? found : &make_sync(address);
    object_->lock.lock();
    if (object_->address == address) return;
    object_->lock.unlock();
  }
}

void LockedSync::release_store(Thread& thread) const {
  object_->clock.release_store(thread.clock, thread.now(), pool);
}

void LockedSync::release_merge(Thread& thread) const {
  object_->clock.release_merge(thread.clock, thread.now(), pool);
}

void LockedSync::release_fence(const Thread& thread) const {
  const VectorClock* const fence = thread.release_fence;
  if (fence != nullptr && fence->size() != 0) object_->clock.release_merge(*fence, 0, pool);
}

void acquire_into(Address address, VectorClock& clock) {
  SyncObject* const object = find_sync(address);
  if (object == nullptr) return;
  const SpinGuard guard(object->lock);
  if (object->address == address) {
    clock.join(object->clock.epochs(), object->clock.size());
  }
}

void forget_all_clocks() {
  for (std::uint32_t place = 1; place < objects_used; ++place) objects[place].clock.clear(pool);
}

// ---- detector.h

void acquire(const volatile void* address) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const auto at = reinterpret_cast<Address>(address);
  SyncObject* const object = find_sync(at);
  if (object == nullptr) return;
  const InsideScope inside(*thread);
  if (object->teaches_nothing(thread->clock)) return;
  const SpinGuard guard(object->lock);
  if (object->address == at) object->clock.acquire(thread->clock);
}

void release_store(const volatile void* address) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const InsideScope inside(*thread);
  LockedSync(reinterpret_cast<Address>(address)).release_store(*thread);
  next_epoch(*thread);
}

void release_merge(const volatile void* address) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const InsideScope inside(*thread);
  LockedSync(reinterpret_cast<Address>(address)).release_merge(*thread);
  next_epoch(*thread);
}

namespace {

void destroy_in_region(Address begin, Address end) {
  using TwoIndices [[gnu::may_alias]] = std::uint64_t;
  std::uint32_t* const first = sync_index(begin);
  std::uint32_t* const last = sync_index(end + 7);
  // The sync shadow of 16 bytes at a time; almost always there is nothing.
  for (std::uint32_t* pair = sync_index(begin & ~Address{15}); pair < last; pair += 2) {
    if (__builtin_expect(*reinterpret_cast<const volatile TwoIndices*>(pair) == 0, 1)) continue;
    for (std::uint32_t* index = pair; index < pair + 2; ++index) {
      if (index >= first && index < last && *index != 0) drop_syncs(index, begin, end);
    }
  }
}

}  // namespace

void sync_destroyed(const volatile void* address, std::size_t size) {
  if (regions == nullptr) return;
  const auto end = reinterpret_cast<Address>(address) + size;
  for (auto begin = reinterpret_cast<Address>(address); begin < end;) {
    const Address next = ((begin >> kRegionBits) + 1) << kRegionBits;
    const Address stop = next < end ? next : end;
    if (region_of(begin) != 0) destroy_in_region(begin, stop);
    begin = stop;
  }
}

void lock_acquired(const volatile void* lock, LockKind kind, Address pc) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !detection_on) return;
  const auto address = reinterpret_cast<Address>(lock);
  const StackId stack = stack_at(*thread, pc);
  if (thread->held_count < Thread::kHeldLocks) {
    thread->held[thread->held_count] = {address, stack, kind};
  }
  ++thread->held_count;
  if (kind == LockKind::kReadLock) return;
  // Only the holder writes these: the program's lock protects them.
  SyncObject* object = find_sync(address);
  if (object == nullptr) object = &make_sync(address);
  __atomic_store_n(&object->holder, static_cast<std::int32_t>(thread->number), __ATOMIC_RELAXED);
  __atomic_store_n(&object->held_since, stack, __ATOMIC_RELAXED);
}

void lock_released(const volatile void* lock) {
  Thread* const thread = thread_self;
  if (thread == nullptr || thread->held_count == 0) return;
  const auto address = reinterpret_cast<Address>(lock);
  if (thread->held_count > Thread::kHeldLocks) {
    --thread->held_count;
    return;
  }
  std::uint32_t index = thread->held_count;
  while (index > 0 && thread->held[index - 1].address != address) --index;
  if (index == 0) return;
  --thread->held_count;
  for (; index <= thread->held_count; ++index) thread->held[index - 1] = thread->held[index];
  if (SyncObject* const object = find_sync(address)) {
    if (object->holder == static_cast<std::int32_t>(thread->number)) {
      __atomic_store_n(&object->holder, -1, __ATOMIC_RELAXED);
    }
  }
}

LockHolder lock_holder(const volatile void* lock) {
  SyncObject* const object = find_sync(reinterpret_cast<Address>(lock));
  if (object == nullptr) return {};
  return {__atomic_load_n(&object->holder, __ATOMIC_RELAXED),
          __atomic_load_n(&object->held_since, __ATOMIC_RELAXED)};
}

}  // namespace vigil::race
