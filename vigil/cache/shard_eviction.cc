// SPDX-License-Identifier: Apache-2.0
//
// How a shard evicts: who is the victim, and how eras end (eviction.h).
#include <algorithm>
#include <limits>

#include "vigil/cache/eviction.h"
#include "vigil/cache/shard.h"

namespace vigil::cache {
namespace {

// A sample has about 16 candidates whose memory is large enough, from at most so many buckets.
constexpr std::uint32_t kCandidates = 12;
constexpr std::uint32_t kSampleBucketsMax = 48;

constexpr std::uint64_t kErasPerTurnover = 32;
constexpr std::uint64_t kLeastAddedPerEra = 8;

}  // namespace

// How gladly an entry is evicted; 0: not at all.
std::uint64_t Shard::eviction_rank(const Index::Sampled& sampled, const EntryHeader& header,
                                   std::int64_t now_ms) const {
  if (header.expired(now_ms)) return std::numeric_limits<std::uint64_t>::max();
  const char* entry = arena_.at(sampled.ref());
  if (!options_.eviction->may_evict(header, value_in_place(entry, header))) return 0;
  if (options_.eviction->policy.load(std::memory_order_relaxed) == EvictionPolicy::kVolatileTtl) {
    return header.deadline_ms == kNoDeadline
               ? 0
               : static_cast<std::uint64_t>(kDeadlineMax_ms - header.deadline_ms) + 1;
  }
  return std::uint64_t{sampled.age} + 1;
}

// Evicts the best entry of a sample whose object can hold `bytes`; if it had none, the best of all.
// Never `kept`. False if there was no candidate.
bool Shard::evict_one(std::uint32_t bytes, Ref kept, std::int64_t now_ms) {
  std::uint32_t fitting = 0;
  std::uint64_t best_rank = 0;
  bool best_fits = false;
  Index::Position best;
  for (std::uint32_t i = 0; fitting < kCandidates && i < kSampleBucketsMax; ++i) {
    index_.sample(random_, [&](const Index::Sampled& sampled) {
      if (sampled.ref() == kept) return;
      const EntryHeader header = load_header(arena_.at(sampled.ref()));
      if (header.hidden()) return;
      const std::uint64_t rank = eviction_rank(sampled, header, now_ms);
      if (rank == 0) return;
      const bool fits = bytes <= slab_.capacity(sampled.ref());
      if (fits) ++fitting;
      if (fits < best_fits || (fits == best_fits && rank <= best_rank)) return;
      best_rank = rank;
      best_fits = fits;
      best = sampled.position;
    });
  }
  if (best_rank == 0) return false;
  const EntryHeader header = load_header(arena_.at(best.ref()));
  const std::uint64_t hash = index_.hash_of(best.ref());
  if (header.expired(now_ms)) {
    expire(hash, best, header, now_ms);
  } else {
    remove(hash, best, header, RemovalCause::kEvicted, now_ms);
    counters_.evicted.store(counters_.evicted.load(std::memory_order_relaxed) + 1,
                            std::memory_order_relaxed);
  }
  return true;
}

// Keys count towards the end of the era when they are added, which is also what evictions follow.
void Shard::note_added() {
  const bool keeps_eras =
      options_.eviction->policy.load(std::memory_order_relaxed) == EvictionPolicy::kAllkeysLru;
  if (keeps_eras != (index_.era() != 0)) index_.set_era(keeps_eras ? Era{1} : Era{0});
  if (!keeps_eras) return;
  if (++added_in_era_ < std::max(index_.size() / kErasPerTurnover, kLeastAddedPerEra)) return;
  added_in_era_ = 0;
  index_.set_era(era_after(index_.era()));
}

}  // namespace vigil::cache
