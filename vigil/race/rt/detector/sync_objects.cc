// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/sync_objects.h"

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/shadow_memory.h"
#include "vigil/race/rt/raw/memory.h"

namespace vigil::race {
namespace {

constexpr std::uint32_t kObjects = 1 << 24;

// By 64 KiB of addresses: whether they ever held an object. Forgetting a stack or a large block
// looks through few of its pages.
constexpr unsigned kRegionBits = 16;

struct State {
  SpinLock lock;  // over the free places and the making of objects
  ClockPool pool;
  SyncObject* objects = nullptr;
  std::uint32_t objects_used = 1;
  std::uint32_t free_object = 0;
  std::uint32_t ids = 0;
  std::uint8_t* regions = nullptr;
};
constinit State state;

std::uint8_t& region_of(Address address) {
  return state.regions[(address & kLowBits) >> kRegionBits];
}

std::uint32_t take_place() {
  if (state.free_object != 0) {
    const std::uint32_t place = state.free_object;
    state.free_object = state.objects[place].next;
    return place;
  }
  if (state.objects_used == kObjects)
    fail("more than 16 million synchronisation objects at a time");
  return state.objects_used++;
}

SyncObject* find_in_chain(std::uint32_t place, Address address) {
  while (place != 0 && state.objects[place].address != address) {
    place = __atomic_load_n(&state.objects[place].next, __ATOMIC_ACQUIRE);
  }
  return place != 0 ? &state.objects[place] : nullptr;
}

SyncObject& make_sync(Address address) {
  const SpinGuard guard(state.lock);
  std::uint32_t* const index = sync_index(address);
  if (SyncObject* const other_was_faster = find_in_chain(*index, address)) return *other_was_faster;
  const std::uint32_t place = take_place();
  SyncObject& object = state.objects[place];
  const SpinGuard object_guard(object.lock);
  object.holder = -1;
  object.held_since = 0;
  object.address = address;
  object.id = ++state.ids;
  object.next = *index;
  region_of(address) = 1;
  __atomic_store_n(index, place, __ATOMIC_RELEASE);
  return object;
}

// Drops the objects of one word that lie in [begin, end).
void drop_syncs(std::uint32_t* index, Address begin, Address end) {
  const SpinGuard guard(state.lock);
  std::uint32_t* link = index;
  while (*link != 0) {
    const std::uint32_t place = *link;
    SyncObject& object = state.objects[place];
    if (object.address < begin || object.address >= end) {
      link = &object.next;
      continue;
    }
    __atomic_store_n(link, object.next, __ATOMIC_RELEASE);
    const SpinGuard object_guard(object.lock);
    object.address = 0;
    object.clock.clear(state.pool);
    object.next = state.free_object;
    state.free_object = place;
  }
}

}  // namespace

void sync_init() {
  state.objects = map_array<SyncObject>(kObjects);
  state.regions = map_array<std::uint8_t>((kLowBits + 1) >> kRegionBits);
  state.pool.init(allocate_forever);
}

SyncObject* find_sync(Address address) {
  return find_in_chain(__atomic_load_n(sync_index(address), __ATOMIC_ACQUIRE), address);
}

SyncObject& find_or_make_sync(Address address) {
  SyncObject* const found = find_sync(address);
  return found != nullptr ? *found : make_sync(address);
}

LockedSync::LockedSync(Address address) {
  while (true) {
    object_ = &find_or_make_sync(address);
    object_->lock.lock();
    if (object_->address == address) return;
    object_->lock.unlock();
  }
}

void LockedSync::release_store(const VectorClock& of_thread, Moment now) const {
  object_->clock.release_store(of_thread, now, state.pool);
}

void LockedSync::release_merge(const VectorClock& of_thread, Moment now) const {
  object_->clock.release_merge(of_thread, now, state.pool);
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
  for (std::uint32_t place = 1; place < state.objects_used; ++place) {
    state.objects[place].clock.clear(state.pool);
  }
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

// ---- detector.h

void sync_destroyed(const volatile void* address, std::size_t size) {
  if (state.regions == nullptr) return;
  const auto end = reinterpret_cast<Address>(address) + size;
  for (auto begin = reinterpret_cast<Address>(address); begin < end;) {
    const Address next = ((begin >> kRegionBits) + 1) << kRegionBits;
    const Address stop = next < end ? next : end;
    if (region_of(begin) != 0) destroy_in_region(begin, stop);
    begin = stop;
  }
}

}  // namespace vigil::race
