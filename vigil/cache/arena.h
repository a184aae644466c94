// SPDX-License-Identifier: Apache-2.0
//
// Arena: hands out runs of 4 KiB pages from one reserved address range of 32 GiB. A Ref, the 32-bit
// offset in 8-byte granules, names any object in it.
//
// The range stays mapped for the arena's life, so a reader that follows an outdated Ref reads stale
// or zero bytes, never faults; it notices through the sequence of the bucket that led it there
// (index.h). So a page may serve any size, and go back to the system, at any time.
//
// A released run joins its free neighbours, so pages go back to every run length whatever their
// history. Runs are taken from the smallest free run that fits (best fit, Knuth, vol. 1, 2.5).
// Memory is what is limited (MemoryBudget), address space is not: where no free run is long enough,
// the run is cut from addresses that were never used. Free pages are given back to the system, but
// for a few (kWarmShare of the limit, at most kWarmPagesMax): a table that breathes would fault all
// the time.
//
// Thread safety: acquire() and release() from any thread. A PageRecord belongs to whoever holds the
// page; `free_pages` belongs to the arena.
//
// Complexity: O(1), but for the system calls. Memory: 28 bytes of bookkeeping per page.
//
// Invariants (check_invariants): free runs do not overlap and no two unwarmed ones are neighbours;
// both ends of a free run know its length; every page is in one free run or handed out.
#pragma once

#include <array>
#include <cstdint>

#include "vigil/base/spin_lock.h"
#include "vigil/cache/memory_budget.h"
#include "vigil/table/reserved_memory.h"

namespace vigil::cache {

using Ref = std::uint32_t;
inline constexpr Ref kNullRef = 0;

inline constexpr std::uint32_t kGranuleBytes = 8;
inline constexpr std::uint32_t kPageBytes = 4096;
inline constexpr std::uint32_t kGranulesPerPage = kPageBytes / kGranuleBytes;

inline constexpr std::uint32_t kLargestObjectBytes = (1U << 22) + (1U << 17);
inline constexpr std::uint32_t kLongestRunPages = kLargestObjectBytes / kPageBytes;

// Kept beside the pages, one for each.
struct PageRecord {
  std::uint32_t free_pages;  // of the free run that begins or ends with this page; 0: in use
  // Neighbours in a list that ends with 0: of free runs, or of chunks with room (slab.h).
  std::uint32_t previous;
  std::uint32_t next;
  // Of the chunk that begins with this page (slab.h).
  Ref free_head;
  std::uint16_t pages;
  std::uint16_t objects;
  std::uint16_t live;
  std::uint16_t fresh;  // objects never handed out start at this index
  std::uint16_t size_class;
  std::uint16_t back;  // pages between the chunk's first and this one
};
static_assert(sizeof(PageRecord) == 28);

class Arena {
 public:
  static constexpr std::uint64_t kWarmShare = 64;            // a 64th of the limit
  static constexpr std::uint64_t kWarmPagesMax = 2048;       // 8 MiB
  static constexpr std::uint32_t kWarmRunPagesMax = 16;      // longer runs are given back at once
  static constexpr std::uint32_t kPagesReserved = 1U << 23;  // what a Ref can name

  explicit Arena(MemoryBudget& budget);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] char* at(Ref ref) const {
    return memory_.data() + std::uint64_t{ref} * kGranuleBytes;
  }
  [[nodiscard]] PageRecord& record(std::uint32_t page) const {
    return reinterpret_cast<PageRecord*>(records_.data())[page];
  }
  [[nodiscard]] static Ref ref_of(std::uint32_t page) { return page * kGranulesPerPage; }

  // The first page of the run, 0 if the budget or the addresses are used up. The pages' content is
  // unspecified. REQUIRES: 1 <= pages <= kLongestRunPages.
  [[nodiscard]] std::uint32_t acquire(std::uint32_t pages, Need need);
  void release(std::uint32_t first, std::uint32_t pages);

  void check_invariants() const;

 private:
  // Free runs by length; the last list holds those of kLongestRunPages and more.
  static constexpr std::uint32_t kBins = kLongestRunPages + 1;
  static constexpr std::uint32_t kBinWords = (kBins + 63) / 64;

  [[nodiscard]] std::uint32_t take_run(std::uint32_t pages) VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t take_warm(std::uint32_t pages) VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t take_fitting(std::uint32_t pages) VIGIL_REQUIRES(lock_);
  [[nodiscard]] std::uint32_t take_unused(std::uint32_t pages) VIGIL_REQUIRES(lock_);
  void cool_down() VIGIL_REQUIRES(lock_);
  void join(std::uint32_t first, std::uint32_t pages) VIGIL_REQUIRES(lock_);
  void put(std::uint32_t first, std::uint32_t pages) VIGIL_REQUIRES(lock_);
  void remove(std::uint32_t first) VIGIL_REQUIRES(lock_);
  // The first bin from `bin` on that has a run; kBins if there is none.
  [[nodiscard]] std::uint32_t next_used_bin(std::uint32_t bin) const VIGIL_REQUIRES(lock_);
  void discard(std::uint32_t first, std::uint32_t pages);
  [[nodiscard]] std::uint64_t warm_pages_max() const;

  MemoryBudget& budget_;
  table::ReservedMemory memory_;
  table::ReservedMemory records_;
  mutable SpinLock lock_;
  std::uint32_t next_page_ VIGIL_GUARDED_BY(lock_) = 1;  // nothing from here on was ever used
  std::array<std::uint32_t, kBins> bins_ VIGIL_GUARDED_BY(lock_){};
  std::array<std::uint64_t, kBinWords> bins_used_ VIGIL_GUARDED_BY(lock_){};
  std::uint64_t warm_pages_ VIGIL_GUARDED_BY(lock_) = 0;
  // By length: the first of the runs whose pages were not given back.
  std::array<std::uint32_t, kWarmRunPagesMax + 1> warm_ VIGIL_GUARDED_BY(lock_){};
  std::uint64_t pages_in_use_ VIGIL_GUARDED_BY(lock_) = 0;
};

}  // namespace vigil::cache
