// SPDX-License-Identifier: Apache-2.0
//
// Slab: where entries live. Carves chunks of pages (arena.h) into objects of one size class: every
// 8 bytes up to 1 KiB, then eight steps per doubling up to 16 KiB (at most 12.5 % waste). Larger
// objects have pages of their own, as many as they need.
//
// A slab serves several shards. The cost of a size class is a chunk that is not full: small first,
// later an eighth of what the class holds already, 32 KiB at most. With a slab for each shard that
// cost came once per shard and class, and a limit of 64 MiB refused 20 to 400 byte values after 0.7
// MB (docs/benchmarks/memory.md compares the choices).
//
// A chunk whose last object is freed goes back to the arena, except for one that is kept until the
// next becomes empty, whatever their classes. When the arena has nothing left, an object is taken
// from a larger class that has room.
//
// Readers may still be in an object when it is freed, handed out again in another size, or its page
// is given back to the system: arena.h and index.h say why that is harmless. So free objects are
// linked by atomic words.
//
// Thread safety: all members from any thread; a spin lock around a few instructions, which is a
// leaf but for the arena's.
//
// Complexity: O(1).
//
// Invariants (check_invariants): the live count of a chunk is the number of objects handed out and
// not freed; free objects of a chunk lie inside it and are pairwise different; chunks that are
// listed as having room have some.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "vigil/base/spin_lock.h"
#include "vigil/cache/arena.h"

namespace vigil::cache {

inline constexpr std::uint32_t kSmallBits = 10;
inline constexpr std::uint32_t kSmallBytes = 1U << kSmallBits;
inline constexpr std::uint32_t kSmallClasses = kSmallBytes / kGranuleBytes + 1;
inline constexpr std::uint32_t kStepsPerDoubling = 8;
inline constexpr std::uint32_t kDoublings = 4;  // from 1 KiB to 16 KiB
inline constexpr std::uint32_t kSharedBytes = kSmallBytes << kDoublings;
// The classes whose objects share chunks; behind them comes one class per number of pages.
inline constexpr std::uint32_t kSharedClasses = kSmallClasses + kDoublings * kStepsPerDoubling;

[[nodiscard]] std::uint32_t large_size_class_of(std::uint32_t bytes);
[[nodiscard]] inline std::uint32_t size_class_of(std::uint32_t bytes) {
  return bytes <= kSmallBytes ? (bytes + kGranuleBytes - 1) / kGranuleBytes
                              : large_size_class_of(bytes);
}
// The bytes of an object of this class.
[[nodiscard]] std::uint32_t object_bytes(std::uint32_t size_class);

class Slab {
 public:
  explicit Slab(Arena& arena) : arena_(arena) {}
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // An object of at least `bytes` bytes, kNullRef if there is no memory. REQUIRES: bytes <=
  // kLargestObjectBytes. The object's content is unspecified.
  [[nodiscard]] Ref allocate(std::uint32_t bytes, Need need = Need::kGrowth);
  // REQUIRES: `ref` came from allocate() of this slab, for both of them and for capacity().
  void free(Ref ref);
  void free(std::span<const Ref> refs);

  // How many bytes the object can hold; its owner may use them all.
  [[nodiscard]] std::uint32_t capacity(Ref ref) const;

  // The objects handed out of the chunk that comes after `passed` others among those with room;
  // false if there is none. What they hold may have changed by then: other threads free them.
  [[nodiscard]] bool objects_of_chunk(std::uint32_t passed, std::vector<Ref>* refs) const;

  void check_invariants() const;

 private:
  [[nodiscard]] std::uint32_t first_page_of(Ref ref) const {
    const std::uint32_t page = ref / kGranulesPerPage;
    return page - arena_.record(page).back;
  }
  [[nodiscard]] Ref take_object(std::uint32_t first) VIGIL_REQUIRES(lock_);
  void put_object(Ref ref) VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t find_room(std::uint32_t size_class, Need need) VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t add_chunk(std::uint32_t size_class, Need need) VIGIL_REQUIRES(lock_);
  [[nodiscard]] Ref allocate_pages(std::uint32_t size_class, Need need) VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t larger_class_with_room(std::uint32_t size_class) const
      VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t acquire(std::uint32_t pages, Need need) VIGIL_REQUIRES(lock_);
  void chunk_is_empty(std::uint32_t first) VIGIL_REQUIRES(lock_);
  bool release_spare() VIGIL_REQUIRES(lock_);
  void list(std::uint32_t first) VIGIL_REQUIRES(lock_);
  void unlist(std::uint32_t first) VIGIL_REQUIRES(lock_);
  void check_chunk(std::uint32_t first) const VIGIL_REQUIRES(lock_);

  Arena& arena_;
  mutable SpinLock lock_;
  // Per class: the first chunk with room, or 0; and the pages of all its chunks.
  std::array<std::uint32_t, kSharedClasses> room_ VIGIL_GUARDED_BY(lock_){};
  std::array<std::uint32_t, kSharedClasses> pages_ VIGIL_GUARDED_BY(lock_){};
  std::uint32_t spare_ VIGIL_GUARDED_BY(lock_) = 0;  // a chunk that was empty and kept, or 0
};

}  // namespace vigil::cache
