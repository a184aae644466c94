// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/index_segment.h"

#include <algorithm>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::cache {
namespace {

table::ReservedMemory reserve_or_die(std::uint64_t bytes) {
  Result<table::ReservedMemory> memory = table::ReservedMemory::reserve(bytes);
  VIGIL_CHECK(memory.has_value(),
              "the index's address space could not be reserved; check ulimit "
              "-v and vm.overcommit_memory");
  return std::move(*memory);
}

std::uint32_t highest_sequence(const Segment& segment) {
  std::uint32_t highest = 0;
  for (const Bucket& bucket : segment.buckets) highest = std::max(highest, bucket.sequence());
  return highest;
}

}  // namespace

void Bucket::start(std::uint32_t sequence) {
  words_[0].store(0, std::memory_order_release);
  words_[1].store(std::uint64_t{sequence * kSequenceOne} << 32, std::memory_order_release);
}

SegmentPool::SegmentPool(MemoryBudget& budget)
    : budget_(budget),
      memory_(reserve_or_die(std::uint64_t{kSegmentsReserved} * sizeof(Segment))),
      uses_(reserve_or_die(std::uint64_t{kSegmentsReserved} * kSegmentBuckets * kUsesPerBucket)) {}

Segment* SegmentPool::take(Need need) {
  if (!budget_.take(sizeof(Segment), need)) return nullptr;
  Segment* segment = take_charged();
  if (segment == nullptr) budget_.give_back(sizeof(Segment));
  return segment;
}

Segment* SegmentPool::take_anyway() {
  budget_.take_anyway(sizeof(Segment));
  Segment* segment = take_charged();
  VIGIL_CHECK(segment != nullptr, "an index has no addresses left");
  return segment;
}

Segment* SegmentPool::take_charged() {
  Free taken{kSegmentsReserved, 0};
  {
    const SpinGuard guard(lock_);
    std::vector<Free>& from = warm_.empty() ? cold_ : warm_;
    if (!from.empty()) {
      taken = from.back();
      from.pop_back();
    } else if (next_ < kSegmentsReserved) {
      taken.number = next_++;
    }
  }
  if (taken.number == kSegmentsReserved) return nullptr;
  Segment& segment = at(taken.number);
  for (Bucket& bucket : segment.buckets) bucket.start(taken.sequence);
  return &segment;
}

void SegmentPool::give_back(Segment* segment) {
  const auto number = static_cast<std::uint32_t>(segment - &at(0));
  const Free free{number, highest_sequence(*segment)};
  budget_.give_back(sizeof(Segment));
  {
    const SpinGuard guard(lock_);
    if (warm_.size() < kWarmMax) return warm_.push_back(free);
  }
  memory_.discard(std::uint64_t{number} * sizeof(Segment), sizeof(Segment));
  const SpinGuard guard(lock_);
  cold_.push_back(free);
}

}  // namespace vigil::cache
