// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/slab.h"

#include <algorithm>
#include <bit>
#include <unordered_set>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/cache/entry.h"

namespace vigil::cache {
namespace {

using table::ReservedMemory;

constexpr std::uint32_t kUnitLimit = 1U << 20;  // what a Ref can name: 2^32 granules
constexpr std::uint32_t kFewestUnits = 64;      // an empty cache needs some

// Free chunks that keep their pages, so that a table that breathes does not fault all the time.
constexpr std::uint64_t kWarmUnits = 256;

constexpr std::uint32_t units_for(std::uint32_t bytes) {
  return (bytes + kUnitBytes - 1) / kUnitBytes;
}

// Chunks grow with their objects so that at least eight fit, up to 64 KiB objects; larger objects
// have a chunk each.
constexpr std::uint32_t kSharedChunkBytes = 64U * 1024;
constexpr std::uint32_t kSharedChunkObjects = 8;

constexpr SizeClass make_class(std::uint32_t object_bytes) {
  std::uint32_t units = 1;
  if (object_bytes > kSharedChunkBytes) {
    return {object_bytes, units_for(object_bytes), 1};
  }
  while (units * kUnitBytes < kSharedChunkObjects * object_bytes) units *= 2;
  return {object_bytes, units, units * kUnitBytes / object_bytes};
}

constexpr std::array<SizeClass, kSizeClasses> make_classes() {
  std::array<SizeClass, kSizeClasses> classes{};
  classes[0] = make_class(kGranuleBytes);
  for (std::uint32_t i = 1; i < kSmallClasses; ++i) classes[i] = make_class(i * kGranuleBytes);
  std::uint32_t base = kSmallBytes;
  for (std::uint32_t i = kSmallClasses; i < kSizeClasses;) {
    for (std::uint32_t step = 1; step <= kStepsPerDoubling; ++step, ++i) {
      classes[i] = make_class(base + base / kStepsPerDoubling * step);
    }
    base *= 2;
  }
  return classes;
}

constexpr std::array<SizeClass, kSizeClasses> kClasses = make_classes();
static_assert(kClasses.back().object_bytes >= kLargestObjectBytes);

ReservedMemory reserve_or_die(std::uint64_t bytes) {
  Result<ReservedMemory> memory = ReservedMemory::reserve(bytes);
  VIGIL_CHECK(memory.has_value(),
              "the arena's address space could not be reserved; check ulimit "
              "-v and vm.overcommit_memory");
  return std::move(*memory);
}

std::uint32_t unit_limit_for(std::uint64_t bytes) {
  const std::uint64_t units = (bytes + kUnitBytes - 1) / kUnitBytes + 1;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(units, kFewestUnits, kUnitLimit));
}

// The largest entry may start in the last unit and a torn size may point past its end: keep a
// guard of mapped addresses behind the arena.
constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kGuardBytes = std::uint64_t{kKeyBytesMax} * 2 + kValueBytesMax + kPageBytes;

}  // namespace

std::uint32_t large_size_class_of(std::uint32_t bytes) {
  const auto doubling = static_cast<std::uint32_t>(std::bit_width(bytes - 1) - 1);
  const std::uint32_t base = 1U << doubling;
  const std::uint32_t step = base / kStepsPerDoubling;
  const std::uint32_t steps = (bytes - base + step - 1) / step;
  return kSmallClasses + (doubling - kSmallBits) * kStepsPerDoubling + steps - 1;
}

const SizeClass& size_class(std::uint32_t index) { return kClasses[index]; }

// --- Arena -------------------------------------------------------------------------------------

// Small pages: reads and writes gain a tenth from huge ones, but the first touch of a huge page
// stops its thread for as long as the system takes to find and clear 2 MiB, milliseconds under a
// hypervisor.
Arena::Arena(std::uint64_t bytes)
    : memory_(reserve_or_die(std::uint64_t{unit_limit_for(bytes)} * kUnitBytes + kGuardBytes)),
      infos_(reserve_or_die(std::uint64_t{unit_limit_for(bytes)} * sizeof(ChunkInfo))),
      unit_limit_(unit_limit_for(bytes)) {}

std::uint32_t Arena::acquire(std::uint32_t units) {
  lock_.lock();
  std::uint32_t first = 0;
  if (units < free_.size() && !free_[units].empty()) {
    const FreeChunk chunk = free_[units].back();
    free_[units].pop_back();
    if (chunk.warm) warm_units_ -= units;
    first = chunk.first_unit;
  } else if (unit_limit_ - next_unit_ >= units) {
    first = next_unit_;
    next_unit_ += units;
  }
  lock_.unlock();
  if (first != 0) used_units_.fetch_add(units, std::memory_order_relaxed);
  return first;
}

void Arena::release(std::uint32_t first_unit, std::uint32_t units) {
  used_units_.fetch_sub(units, std::memory_order_relaxed);
  lock_.lock();
  const bool warm = warm_units_ + units <= kWarmUnits;
  if (warm) warm_units_ += units;
  lock_.unlock();
  // Outside the lock and before anyone can acquire the chunk.
  if (!warm) {
    memory_.discard(std::uint64_t{first_unit} * kUnitBytes, std::uint64_t{units} * kUnitBytes);
  }
  lock_.lock();
  if (free_.size() <= units) free_.resize(units + 1);
  free_[units].push_back({first_unit, warm});
  lock_.unlock();
}

// --- Slab --------------------------------------------------------------------------------------

Ref Slab::allocate(std::uint32_t bytes) {
  const std::uint32_t class_index = size_class_of(bytes);
  const SizeClass& size = kClasses[class_index];
  std::uint32_t unit = room_[class_index];
  if (unit == 0) [[unlikely]] {
    unit = add_chunk(class_index);
    if (unit == 0) return kNullRef;
  }
  ChunkInfo& chunk = arena_.info(unit);
  Ref ref = chunk.free_head;
  if (ref != kNullRef) {
    chunk.free_head =
        static_cast<Ref>(entry_words(arena_.at(ref))[0].load(std::memory_order_relaxed));
  } else {
    ref = unit * kGranulesPerUnit + chunk.fresh * (size.object_bytes / kGranuleBytes);
    ++chunk.fresh;
  }
  ++chunk.live;
  object_bytes_ += size.object_bytes;
  if (chunk.live == size.objects) remove(room_[class_index], &ChunkInfo::room, unit);
  return ref;
}

void Slab::free(Ref ref, std::uint32_t bytes) {
  const std::uint32_t class_index = size_class_of(bytes);
  const SizeClass& size = kClasses[class_index];
  const std::uint32_t unit = first_unit_of(ref);
  ChunkInfo& chunk = arena_.info(unit);
  // A late reader may still load this word; release as for every word it may see.
  entry_words(arena_.at(ref))[0].store(chunk.free_head, std::memory_order_release);
  chunk.free_head = ref;
  object_bytes_ -= size.object_bytes;
  if (chunk.live == size.objects) push(room_[class_index], &ChunkInfo::room, unit);
  --chunk.live;
  const bool only_one = room_[class_index] == unit && chunk.room.next == 0;
  if (chunk.live == 0 && (!only_one || size.objects == 1)) {
    remove(room_[class_index], &ChunkInfo::room, unit);
    return_chunk(unit);
  }
}

void Slab::clear() {
  while (owned_ != 0) return_chunk(owned_);
  room_.fill(0);
  object_bytes_ = 0;
}

std::uint32_t Slab::first_unit_of(Ref ref) const {
  const std::uint32_t unit = ref / kGranulesPerUnit;
  return unit - arena_.info(unit).back;
}

std::uint32_t Slab::add_chunk(std::uint32_t class_index) {
  const std::uint32_t units = kClasses[class_index].chunk_units;
  const std::uint32_t first = arena_.acquire(units);
  if (first == 0) return 0;
  for (std::uint32_t i = 0; i < units; ++i) {
    arena_.info(first + i).back = static_cast<std::uint16_t>(i);
  }
  arena_.info(first).size_class = static_cast<std::uint16_t>(class_index);
  units_ += units;
  push(owned_, &ChunkInfo::owned, first);
  push(room_[class_index], &ChunkInfo::room, first);
  return first;
}

void Slab::return_chunk(std::uint32_t unit) {
  const std::uint32_t units = kClasses[arena_.info(unit).size_class].chunk_units;
  remove(owned_, &ChunkInfo::owned, unit);
  arena_.info(unit) = ChunkInfo{};
  units_ -= units;
  arena_.release(unit, units);
}

void Slab::push(std::uint32_t& head, Links links, std::uint32_t unit) {
  (arena_.info(unit).*links) = {0, head};
  if (head != 0) (arena_.info(head).*links).previous = unit;
  head = unit;
}

void Slab::remove(std::uint32_t& head, Links links, std::uint32_t unit) {
  const ChunkLinks removed = arena_.info(unit).*links;
  if (removed.previous != 0) {
    (arena_.info(removed.previous).*links).next = removed.next;
  } else {
    head = removed.next;
  }
  if (removed.next != 0) (arena_.info(removed.next).*links).previous = removed.previous;
}

void Slab::check_invariants() const {
  std::uint64_t units = 0;
  std::uint64_t object_bytes = 0;
  for (std::uint32_t unit = owned_; unit != 0; unit = arena_.info(unit).owned.next) {
    check_chunk(unit);
    const ChunkInfo& chunk = arena_.info(unit);
    units += kClasses[chunk.size_class].chunk_units;
    object_bytes += std::uint64_t{chunk.live} * kClasses[chunk.size_class].object_bytes;
  }
  VIGIL_CHECK(units == units_, "slab: the chunks do not add up to the units owned");
  VIGIL_CHECK(object_bytes == object_bytes_, "slab: live objects do not add up");
}

void Slab::check_chunk(std::uint32_t unit) const {
  const ChunkInfo& chunk = arena_.info(unit);
  const SizeClass& size = kClasses[chunk.size_class];
  const std::uint32_t step = size.object_bytes / kGranuleBytes;
  std::unordered_set<Ref> free_objects;
  Ref ref = chunk.free_head;
  while (ref != kNullRef) {
    const std::uint32_t from_start = ref - unit * kGranulesPerUnit;
    VIGIL_CHECK(from_start % step == 0 && from_start / step < chunk.fresh,
                "slab: a free object lies outside its chunk");
    VIGIL_CHECK(free_objects.insert(ref).second, "slab: an object was freed twice");
    ref = static_cast<Ref>(entry_words(arena_.at(ref))[0].load(std::memory_order_relaxed));
  }
  VIGIL_CHECK(chunk.live + free_objects.size() == chunk.fresh, "slab: live count is wrong");
  bool listed = false;
  for (std::uint32_t i = room_[chunk.size_class]; i != 0; i = arena_.info(i).room.next) {
    listed = listed || i == unit;
  }
  VIGIL_CHECK(listed == (chunk.live < size.objects),
              "slab: a chunk is listed as having room and has none, or the reverse");
}

}  // namespace vigil::cache
