// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/restoration.h"

#include <utility>

namespace vigil::cache {

namespace {

// Holds a shard, which nobody else wants.
class Held {
 public:
  explicit Held(Shard& shard) : shard_(shard) { shard_.enter(); }
  ~Held() { shard_.leave(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  Shard& shard_;
};

}  // namespace

Restoration::Restoration(Cache& cache, std::int64_t now_ms)
    : cache_(cache), now_ms_(now_ms), silenced_(std::exchange(cache.observers_, {})) {}

Restoration::~Restoration() { cache_.observers_ = std::move(silenced_); }

template <class Change>
void Restoration::with_record(std::uint32_t shard, std::string_view key, Change&& change) {
  Shard& of = cache_.shards_.get()[shard];
  const Held held(of);
  Slot slot = of.stored_slot(seeded_hash(key, cache_.seed_), key, now_ms_);
  change(slot);
}

void Restoration::prefetch_index(std::uint32_t shard, std::string_view key) const {
  cache_.shards_.get()[shard].index().prefetch_bucket(seeded_hash(key, cache_.seed_));
}

void Restoration::prefetch_entry(std::uint32_t shard, std::string_view key) const {
  cache_.shards_.get()[shard].index().prefetch_entry(seeded_hash(key, cache_.seed_));
}

AssignStatus Restoration::stored(std::uint32_t shard, std::string_view key, std::string_view value,
                                 const EntryHeader& header) {
  AssignStatus status = AssignStatus::kStored;
  with_record(shard, key, [&](Slot& slot) {
    status = slot.assign(header.kind, value, header.deadline_ms, header.version);
  });
  return status;
}

void Restoration::deadline_set(std::uint32_t shard, std::string_view key,
                               std::int64_t deadline_ms) {
  with_record(shard, key, [&](Slot& slot) {
    if (slot.has_record()) slot.set_deadline(deadline_ms);
  });
}

void Restoration::removed(std::uint32_t shard, std::string_view key, std::uint64_t version) {
  with_record(shard, key, [&](Slot& slot) {
    if (slot.has_record()) slot.erase();
  });
  raise_version_floor(shard, version);
}

void Restoration::cleared(std::uint32_t shard, std::uint64_t version_floor) {
  Shard& of = cache_.shards_.get()[shard];
  const Held held(of);
  of.clear();
  of.raise_version_floor(version_floor);
}

void Restoration::raise_version_floor(std::uint32_t shard, std::uint64_t version) {
  Shard& of = cache_.shards_.get()[shard];
  const Held held(of);
  of.raise_version_floor(version);
}

}  // namespace vigil::cache
