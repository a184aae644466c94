// SPDX-License-Identifier: Apache-2.0
//
// How a shard makes room (eviction.h).
#include <algorithm>
#include <limits>
#include <vector>

#include "vigil/cache/shard.h"

namespace vigil::cache {
namespace {

// A sample has about 16 candidates whose memory is large enough, from at most so many buckets.
constexpr std::uint32_t kCandidates = 12;
constexpr std::uint32_t kSampleBucketsMax = 48;

constexpr std::uint64_t kErasPerTurnover = 32;
constexpr std::uint64_t kLeastAddedPerEra = 8;

// A write evicts at most so many entries one by one, and then the entries of so many chunks for
// each page that it needs, so that its shard is not kept for long.
constexpr int kEvictionsMax = 128;
constexpr std::uint32_t kChunksPerPage = 4;
constexpr std::uint32_t kLeastChunks = 64;

}  // namespace

// As create(), evicting others if need be. The slot's entry is still there afterwards.
Ref Shard::create_evicting(Slot& slot, const EntryHeader& header, std::string_view head,
                           std::string_view tail) {
  const std::uint32_t bytes = entry_bytes(header.key_size, header.value_size);
  const Ref kept = slot.has_record() ? slot.position_.ref() : kNullRef;
  Ref ref = kNullRef;
  for (int i = 0; ref == kNullRef && i < kEvictionsMax && evict_one(bytes, kept, slot.now_ms_);
       ++i) {
    ref = create(header, slot.key_, head, tail);
  }
  if (ref == kNullRef) {
    vacate_chunks(kept, slot.now_ms_, kLeastChunks + kChunksPerPage * (bytes / kPageBytes), [&] {
      ref = create(header, slot.key_, head, tail);
      return ref != kNullRef;
    });
  }
  // Evictions move entries within the index.
  if (kept != kNullRef) slot.position_ = index_.find_ref(slot.hash_, kept);
  return ref;
}

// Empties chunks of this shard's slab, for entries of a size that no chunk has room for, until
// done() or `chunks` were looked at. Other shards have entries in them too: those that nobody
// writes just now are taken, without waiting and without applying what others have queued there: it
// would happen in the middle of this thread's change, and inside its group.
template <class Done>
void Shard::vacate_chunks(Ref kept, std::int64_t now_ms, std::uint32_t chunks, Done&& done) {
  struct Owners {
    std::vector<Shard*> all;
    const Shard* self;
    ~Owners() {
      for (Shard* shard : all) {
        if (shard != self) shard->release();
      }
    }
  } owners{{this}, this};
  for (Shard* shard : *options_.neighbours) {
    if (shard != this && shard->try_take()) owners.all.push_back(shard);
  }
  std::vector<Ref> refs;
  std::uint32_t passed = 0;  // chunks that cannot be emptied
  for (std::uint32_t i = 0; i < chunks && slab_.objects_of_chunk(passed, &refs); ++i) {
    if (vacate(refs, kept, owners.all, now_ms)) {
      if (done()) return;
    } else {
      ++passed;
    }
  }
}

// Evicts all of these entries, or none.
bool Shard::vacate(const std::vector<Ref>& refs, Ref kept, const std::vector<Shard*>& owners,
                   std::int64_t now_ms) {
  std::vector<Shard*> owner_of;
  std::string key;
  for (const Ref ref : refs) {
    // As a reader: it may be an entry of a shard that was not entered, and changing.
    const EntryReader reader(arena_.at(ref), load_header(arena_.at(ref)));
    key.resize(reader.header().key_size);
    reader.copy_key(key.data());
    const std::uint64_t hash = seeded_hash(key, options_.hash_seed);
    const auto owner = std::find_if(owners.begin(), owners.end(), [&](const Shard* shard) {
      return static_cast<bool>(shard->index_.find_ref(hash, ref));
    });
    if (owner == owners.end() || ref == kept) return false;
    const EntryHeader header = load_header(arena_.at(ref));
    if (header.hidden() || eviction_rank({ref, 0}, header, now_ms) == 0) return false;
    owner_of.push_back(*owner);
  }
  for (std::size_t i = 0; i < refs.size(); ++i) owner_of[i]->evict(refs[i], now_ms);
  return true;
}

// How gladly an entry is evicted; 0: not at all.
std::uint64_t Shard::eviction_rank(const Index::Sampled& sampled, const EntryHeader& header,
                                   std::int64_t now_ms) const {
  if (header.expired(now_ms)) return std::numeric_limits<std::uint64_t>::max();
  const char* entry = arena_.at(sampled.ref);
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
  Ref best = kNullRef;
  for (std::uint32_t i = 0; fitting < kCandidates && i < kSampleBucketsMax; ++i) {
    index_.sample(random_, [&](const Index::Sampled& sampled) {
      if (sampled.ref == kept) return;
      const EntryHeader header = load_header(arena_.at(sampled.ref));
      if (header.hidden()) return;
      const std::uint64_t rank = eviction_rank(sampled, header, now_ms);
      if (rank == 0) return;
      const bool fits = bytes <= slab_.capacity(sampled.ref);
      if (fits) ++fitting;
      if (fits < best_fits || (fits == best_fits && rank <= best_rank)) return;
      best_rank = rank;
      best_fits = fits;
      best = sampled.ref;
    });
  }
  if (best_rank == 0) return false;
  evict(best, now_ms);
  return true;
}

void Shard::evict(Ref ref, std::int64_t now_ms) {
  const EntryHeader header = load_header(arena_.at(ref));
  const std::uint64_t hash = index_.hash_of(ref);
  const Index::Position position = index_.find_ref(hash, ref);
  if (header.expired(now_ms)) return expire(hash, position, header, now_ms);
  remove(hash, position, header, RemovalCause::kEvicted, now_ms);
  counters_.evicted.store(counters_.evicted.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
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
