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

// Chunks of 1, 2, 4 or 8 pages or somewhat more, whatever wastes little behind the last object.
constexpr std::uint32_t kChunkSteps = 4;
// A chunk is at most this part of what its class holds.
constexpr std::uint32_t kGrowthDivisor = 8;

struct SharedClass {
  std::uint16_t object_bytes;
  std::array<std::uint8_t, kChunkSteps> chunk_pages;
};

constexpr std::uint32_t wasted(std::uint32_t pages, std::uint32_t object_bytes) {
  return pages * kPageBytes % object_bytes;
}

// The fewest pages, at least `least`, behind whose last object little is left: an eighth of a small
// chunk, a 64th of a large one.
constexpr std::uint8_t chunk_pages(std::uint32_t object_bytes, std::uint32_t least,
                                   std::uint32_t step) {
  least = std::max(least, (object_bytes + kPageBytes - 1) / kPageBytes);
  std::uint32_t best = least;
  for (std::uint32_t pages = least; pages <= 2 * least; ++pages) {
    if (wasted(pages, object_bytes) * (8U << step) <= pages * kPageBytes) {
      return static_cast<std::uint8_t>(pages);
    }
    if (wasted(pages, object_bytes) * best < wasted(best, object_bytes) * pages) best = pages;
  }
  return static_cast<std::uint8_t>(best);
}

constexpr SharedClass make_class(std::uint32_t object_bytes) {
  SharedClass made{static_cast<std::uint16_t>(object_bytes), {}};
  for (std::uint32_t step = 0; step < kChunkSteps; ++step) {
    made.chunk_pages[step] = chunk_pages(object_bytes, 1U << step, step);
  }
  return made;
}

constexpr std::array<SharedClass, kSharedClasses> make_classes() {
  std::array<SharedClass, kSharedClasses> classes{};
  classes[0] = make_class(kGranuleBytes);
  for (std::uint32_t i = 1; i < kSmallClasses; ++i) classes[i] = make_class(i * kGranuleBytes);
  std::uint32_t base = kSmallBytes;
  for (std::uint32_t i = kSmallClasses; i < kSharedClasses;) {
    for (std::uint32_t step = 1; step <= kStepsPerDoubling; ++step, ++i) {
      classes[i] = make_class(base + base / kStepsPerDoubling * step);
    }
    base *= 2;
  }
  return classes;
}

constexpr std::array<SharedClass, kSharedClasses> kClasses = make_classes();
static_assert(kClasses.back().object_bytes == kSharedBytes);

constexpr std::uint32_t pages_of_large(std::uint32_t size_class) {
  return size_class - kSharedClasses + kSharedBytes / kPageBytes + 1;
}

}  // namespace

std::uint32_t large_size_class_of(std::uint32_t bytes) {
  if (bytes > kSharedBytes) {
    const std::uint32_t pages = (bytes + kPageBytes - 1) / kPageBytes;
    return kSharedClasses + pages - kSharedBytes / kPageBytes - 1;
  }
  const auto doubling = static_cast<std::uint32_t>(std::bit_width(bytes - 1) - 1);
  const std::uint32_t base = 1U << doubling;
  const std::uint32_t step = base / kStepsPerDoubling;
  const std::uint32_t steps = (bytes - base + step - 1) / step;
  return kSmallClasses + (doubling - kSmallBits) * kStepsPerDoubling + steps - 1;
}

std::uint32_t object_bytes(std::uint32_t size_class) {
  return size_class < kSharedClasses ? kClasses[size_class].object_bytes
                                     : pages_of_large(size_class) * kPageBytes;
}

// --- Objects -------------------------------------------------------------------------------------

Ref Slab::allocate(std::uint32_t bytes, Need need) {
  const std::uint32_t size_class = size_class_of(bytes);
  const SpinGuard guard(lock_);
  if (size_class >= kSharedClasses) [[unlikely]]
    return allocate_pages(size_class, need);
  std::uint32_t first = room_[size_class];
  if (first == 0) [[unlikely]] {
    first = find_room(size_class, need);
    if (first == 0) return kNullRef;
  }
  return take_object(first);
}

Ref Slab::take_object(std::uint32_t first) {
  PageRecord& chunk = arena_.record(first);
  Ref ref = chunk.free_head;
  if (ref != kNullRef) {
    chunk.free_head =
        static_cast<Ref>(entry_words(arena_.at(ref))[0].load(std::memory_order_relaxed));
  } else {
    ref = Arena::ref_of(first) +
          chunk.fresh * (kClasses[chunk.size_class].object_bytes / kGranuleBytes);
    ++chunk.fresh;
  }
  ++chunk.live;
  if (chunk.live == chunk.objects) unlist(first);
  return ref;
}

void Slab::free(Ref ref) {
  const SpinGuard guard(lock_);
  put_object(ref);
}

void Slab::free(std::span<const Ref> refs) {
  const SpinGuard guard(lock_);
  for (const Ref ref : refs) put_object(ref);
}

void Slab::put_object(Ref ref) {
  const std::uint32_t first = first_page_of(ref);
  PageRecord& chunk = arena_.record(first);
  if (chunk.size_class >= kSharedClasses) [[unlikely]]
    return arena_.release(first, chunk.pages);
  // A late reader may still load this word; release as for every word it may see.
  entry_words(arena_.at(ref))[0].store(chunk.free_head, std::memory_order_release);
  chunk.free_head = ref;
  if (chunk.live == chunk.objects) list(first);
  --chunk.live;
  if (chunk.live == 0) [[unlikely]]
    chunk_is_empty(first);
}

std::uint32_t Slab::capacity(Ref ref) const {
  return object_bytes(arena_.record(first_page_of(ref)).size_class);
}

bool Slab::objects_of_chunk(std::uint32_t passed, std::vector<Ref>* refs) const {
  refs->clear();
  const SpinGuard guard(lock_);
  for (const std::uint32_t head : room_) {
    for (std::uint32_t first = head; first != 0; first = arena_.record(first).next) {
      if (arena_.record(first).live == 0) continue;  // the spare one
      if (passed != 0) {
        --passed;
        continue;
      }
      const PageRecord& chunk = arena_.record(first);
      std::unordered_set<Ref> free_objects;
      for (Ref ref = chunk.free_head; ref != kNullRef;
           ref = static_cast<Ref>(entry_words(arena_.at(ref))[0].load(std::memory_order_relaxed))) {
        free_objects.insert(ref);
      }
      const std::uint32_t step = kClasses[chunk.size_class].object_bytes / kGranuleBytes;
      for (std::uint32_t i = 0; i < chunk.fresh; ++i) {
        const Ref ref = Arena::ref_of(first) + i * step;
        if (!free_objects.contains(ref)) refs->push_back(ref);
      }
      return true;
    }
  }
  return false;
}

// --- Chunks --------------------------------------------------------------------------------------

std::uint32_t Slab::find_room(std::uint32_t size_class, Need need) {
  const std::uint32_t first = add_chunk(size_class, need);
  return first != 0 ? first : larger_class_with_room(size_class);
}

// A chunk in proportion to what the class holds; failing that, the smallest.
std::uint32_t Slab::add_chunk(std::uint32_t size_class, Need need) {
  const SharedClass& shared = kClasses[size_class];
  const std::uint32_t wanted =
      std::clamp(pages_[size_class] / kGrowthDivisor, 1U, 1U << (kChunkSteps - 1));
  std::uint32_t pages = shared.chunk_pages[static_cast<std::size_t>(std::bit_width(wanted)) - 1];
  std::uint32_t first = acquire(pages, need);
  if (first == 0 && pages > shared.chunk_pages[0]) {
    pages = shared.chunk_pages[0];
    first = acquire(pages, need);
  }
  if (first == 0) return 0;
  for (std::uint32_t i = 0; i < pages; ++i) {
    arena_.record(first + i).back = static_cast<std::uint16_t>(i);
  }
  PageRecord& chunk = arena_.record(first);
  chunk.free_head = kNullRef;
  chunk.pages = static_cast<std::uint16_t>(pages);
  chunk.objects = static_cast<std::uint16_t>(pages * kPageBytes / shared.object_bytes);
  chunk.live = 0;
  chunk.fresh = 0;
  chunk.size_class = static_cast<std::uint16_t>(size_class);
  pages_[size_class] += pages;
  list(first);
  return first;
}

Ref Slab::allocate_pages(std::uint32_t size_class, Need need) {
  const std::uint32_t pages = pages_of_large(size_class);
  const std::uint32_t first = acquire(pages, need);
  if (first == 0) return kNullRef;
  PageRecord& chunk = arena_.record(first);
  chunk.pages = static_cast<std::uint16_t>(pages);
  chunk.size_class = static_cast<std::uint16_t>(size_class);
  chunk.back = 0;
  return Arena::ref_of(first);
}

std::uint32_t Slab::larger_class_with_room(std::uint32_t size_class) const {
  for (std::uint32_t larger = size_class + 1; larger < kSharedClasses; ++larger) {
    if (room_[larger] != 0) return room_[larger];
  }
  return 0;
}

std::uint32_t Slab::acquire(std::uint32_t pages, Need need) {
  const std::uint32_t first = arena_.acquire(pages, need);
  return first != 0 || !release_spare() ? first : arena_.acquire(pages, need);
}

void Slab::chunk_is_empty(std::uint32_t first) {
  if (spare_ == first) return;
  release_spare();
  spare_ = first;
}

// Returns whether there was an empty one.
bool Slab::release_spare() {
  const std::uint32_t first = std::exchange(spare_, 0);
  if (first == 0 || arena_.record(first).live != 0) return false;
  const PageRecord& chunk = arena_.record(first);
  unlist(first);
  pages_[chunk.size_class] -= chunk.pages;
  arena_.release(first, chunk.pages);
  return true;
}

void Slab::list(std::uint32_t first) {
  PageRecord& chunk = arena_.record(first);
  std::uint32_t& head = room_[chunk.size_class];
  chunk.previous = 0;
  chunk.next = head;
  if (head != 0) arena_.record(head).previous = first;
  head = first;
}

void Slab::unlist(std::uint32_t first) {
  const PageRecord& chunk = arena_.record(first);
  if (chunk.previous != 0) {
    arena_.record(chunk.previous).next = chunk.next;
  } else {
    room_[chunk.size_class] = chunk.next;
  }
  if (chunk.next != 0) arena_.record(chunk.next).previous = chunk.previous;
}

// --- Invariants ----------------------------------------------------------------------------------

void Slab::check_invariants() const {
  const SpinGuard guard(lock_);
  for (std::uint32_t size_class = 0; size_class < kSharedClasses; ++size_class) {
    std::uint32_t pages = 0;
    for (std::uint32_t first = room_[size_class]; first != 0; first = arena_.record(first).next) {
      VIGIL_CHECK(arena_.record(first).size_class == size_class,
                  "slab: a chunk is listed under another class");
      check_chunk(first);
      pages += arena_.record(first).pages;
    }
    VIGIL_CHECK(pages <= pages_[size_class], "slab: more pages have room than the class has");
  }
}

void Slab::check_chunk(std::uint32_t first) const {
  const PageRecord& chunk = arena_.record(first);
  const std::uint32_t step = kClasses[chunk.size_class].object_bytes / kGranuleBytes;
  std::unordered_set<Ref> free_objects;
  Ref ref = chunk.free_head;
  while (ref != kNullRef) {
    const std::uint32_t from_start = ref - Arena::ref_of(first);
    VIGIL_CHECK(from_start % step == 0 && from_start / step < chunk.fresh,
                "slab: a free object lies outside its chunk");
    VIGIL_CHECK(free_objects.insert(ref).second, "slab: an object was freed twice");
    ref = static_cast<Ref>(entry_words(arena_.at(ref))[0].load(std::memory_order_relaxed));
  }
  VIGIL_CHECK(chunk.live + free_objects.size() == chunk.fresh, "slab: live count is wrong");
  VIGIL_CHECK(chunk.live < chunk.objects, "slab: a full chunk is listed as having room");
  VIGIL_CHECK(chunk.live != 0 || first == spare_, "slab: an empty chunk was kept");
}

}  // namespace vigil::cache
