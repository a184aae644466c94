// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/arena.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/cache/entry.h"

namespace vigil::cache {
namespace {

using table::ReservedMemory;

ReservedMemory reserve_or_die(std::uint64_t bytes) {
  Result<ReservedMemory> memory = ReservedMemory::reserve(bytes);
  VIGIL_CHECK(memory.has_value(),
              "the arena's address space could not be reserved; check ulimit "
              "-v and vm.overcommit_memory");
  return std::move(*memory);
}

// The largest entry may start in the last page and a torn size may point past its end: keep a
// guard of mapped addresses behind the arena.
constexpr std::uint64_t kGuardBytes = std::uint64_t{kKeyBytesMax} * 2 + kValueBytesMax + kPageBytes;

}  // namespace

// Small pages: reads and writes gain a tenth from huge ones, but the first touch of a huge page
// stops its thread for as long as the system takes to find and clear 2 MiB, milliseconds under a
// hypervisor.
Arena::Arena(MemoryBudget& budget)
    : budget_(budget),
      memory_(reserve_or_die(std::uint64_t{kPagesReserved} * kPageBytes + kGuardBytes)),
      records_(reserve_or_die(std::uint64_t{kPagesReserved} * sizeof(PageRecord))) {}

std::uint32_t Arena::acquire(std::uint32_t pages, Need need) {
  const std::uint64_t bytes = std::uint64_t{pages} * kPageBytes;
  if (!budget_.take(bytes, need)) return 0;
  std::uint32_t first = 0;
  {
    const SpinGuard guard(lock_);
    first = take_run(pages);
    if (first != 0) pages_in_use_ += pages;
  }
  if (first == 0) budget_.give_back(bytes);
  return first;
}

void Arena::release(std::uint32_t first, std::uint32_t pages) {
  budget_.give_back(std::uint64_t{pages} * kPageBytes);
  {
    const SpinGuard guard(lock_);
    if (pages <= kWarmRunPagesMax && warm_pages_ + pages <= warm_pages_max()) {
      record(first).next = std::exchange(warm_[pages], first);
      warm_pages_ += pages;
      pages_in_use_ -= pages;
      return;
    }
  }
  discard(first, pages);  // outside of the lock and before anyone can acquire the run
  const SpinGuard guard(lock_);
  pages_in_use_ -= pages;
  join(first, pages);
}

std::uint64_t Arena::warm_pages_max() const {
  return std::min(budget_.limit() / kPageBytes / kWarmShare, kWarmPagesMax);
}

void Arena::discard(std::uint32_t first, std::uint32_t pages) {
  memory_.discard(std::uint64_t{first} * kPageBytes, std::uint64_t{pages} * kPageBytes);
}

// --- Taking a run --------------------------------------------------------------------------------

std::uint32_t Arena::take_run(std::uint32_t pages) {
  std::uint32_t first = take_warm(pages);
  if (first == 0) first = take_fitting(pages);
  if (first == 0) first = take_unused(pages);
  if (first == 0 && warm_pages_ != 0) {
    cool_down();
    first = take_fitting(pages);
  }
  return first;
}

std::uint32_t Arena::take_warm(std::uint32_t pages) {
  if (pages > kWarmRunPagesMax || warm_[pages] == 0) return 0;
  const std::uint32_t first = warm_[pages];
  warm_[pages] = record(first).next;
  warm_pages_ -= pages;
  return first;
}

// The front of the smallest free run that is long enough.
std::uint32_t Arena::take_fitting(std::uint32_t pages) {
  const std::uint32_t bin = next_used_bin(pages);
  if (bin == kBins) return 0;
  const std::uint32_t first = bins_[bin];
  const std::uint32_t length = record(first).free_pages;
  remove(first);
  if (length > pages) put(first + pages, length - pages);
  record(first).free_pages = 0;
  record(first + pages - 1).free_pages = 0;
  return first;
}

std::uint32_t Arena::take_unused(std::uint32_t pages) {
  if (kPagesReserved - next_page_ < pages) return 0;
  return std::exchange(next_page_, next_page_ + pages);
}

std::uint32_t Arena::next_used_bin(std::uint32_t bin) const {
  for (std::uint32_t word = bin / 64; word < kBinWords; ++word) {
    std::uint64_t used = bins_used_[word];
    if (word == bin / 64) used &= ~std::uint64_t{0} << (bin % 64);
    if (used != 0) return word * 64 + static_cast<std::uint32_t>(std::countr_zero(used));
  }
  return kBins;
}

// --- Free runs -----------------------------------------------------------------------------------

// Lets warm runs join their neighbours, for want of a longer one.
void Arena::cool_down() {
  for (std::uint32_t pages = 1; pages <= kWarmRunPagesMax; ++pages) {
    while (const std::uint32_t first = take_warm(pages)) {
      discard(first, pages);
      join(first, pages);
    }
  }
}

void Arena::join(std::uint32_t first, std::uint32_t pages) {
  if (const std::uint32_t before = record(first - 1).free_pages; before != 0) {
    first -= before;
    pages += before;
    remove(first);
  }
  const std::uint32_t end = first + pages;
  if (const std::uint32_t behind = end < next_page_ ? record(end).free_pages : 0; behind != 0) {
    remove(end);
    pages += behind;
  }
  put(first, pages);
}

void Arena::put(std::uint32_t first, std::uint32_t pages) {
  const std::uint32_t bin = std::min(pages, kBins - 1);
  record(first).free_pages = pages;
  record(first + pages - 1).free_pages = pages;
  record(first).previous = 0;
  record(first).next = bins_[bin];
  if (bins_[bin] != 0) record(bins_[bin]).previous = first;
  bins_[bin] = first;
  bins_used_[bin / 64] |= std::uint64_t{1} << (bin % 64);
}

void Arena::remove(std::uint32_t first) {
  const PageRecord& removed = record(first);
  const std::uint32_t bin = std::min(removed.free_pages, kBins - 1);
  if (removed.previous != 0) {
    record(removed.previous).next = removed.next;
  } else {
    bins_[bin] = removed.next;
  }
  if (removed.next != 0) record(removed.next).previous = removed.previous;
  if (bins_[bin] == 0) bins_used_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
}

// --- Invariants ----------------------------------------------------------------------------------

void Arena::check_invariants() const {
  const SpinGuard guard(lock_);
  std::uint64_t free_pages = 0;
  std::unordered_map<std::uint32_t, std::uint32_t> ends;  // of free runs
  for (std::uint32_t bin = 0; bin < kBins; ++bin) {
    const bool used = (bins_used_[bin / 64] >> (bin % 64) & 1) != 0;
    VIGIL_CHECK(used == (bins_[bin] != 0), "arena: a list of runs is not marked, or the reverse");
    for (std::uint32_t first = bins_[bin]; first != 0; first = record(first).next) {
      const std::uint32_t pages = record(first).free_pages;
      VIGIL_CHECK(std::min(pages, kBins - 1) == bin, "arena: a run is in the wrong list");
      VIGIL_CHECK(record(first + pages - 1).free_pages == pages, "arena: a run's end is unmarked");
      VIGIL_CHECK(ends.emplace(first + pages, first).second, "arena: two runs end at one page");
      free_pages += pages;
    }
  }
  for (const auto& [end, first] : ends) {
    VIGIL_CHECK(end <= next_page_, "arena: a free run was never used");
    VIGIL_CHECK(!ends.contains(first), "arena: two neighbouring runs did not join");
  }
  std::uint64_t warm_pages = 0;
  for (std::uint32_t pages = 1; pages <= kWarmRunPagesMax; ++pages) {
    for (std::uint32_t first = warm_[pages]; first != 0; first = record(first).next) {
      VIGIL_CHECK(record(first).free_pages == 0, "arena: a warm run is in the lists");
      warm_pages += pages;
    }
  }
  VIGIL_CHECK(warm_pages == warm_pages_, "arena: the warm pages do not add up");
  VIGIL_CHECK(free_pages + warm_pages + pages_in_use_ + 1 == next_page_,
              "arena: pages were lost, or handed out twice");
}

}  // namespace vigil::cache
