// SPDX-License-Identifier: Apache-2.0
//
// Index: from a key's hash to the Ref of its entry, for one shard. One writer, any number of
// readers that take no lock and write no memory.
//
// Layout: extendible hashing (Fagin, Nievergelt, Pippenger and Strong, TODS 1979) over segments of
// 64 buckets; a bucket is one cache line with twelve entries (index_segment.h).
//
// A key lives in its home bucket or in its alternate, home XOR f(tag), so the other bucket of any
// entry follows from the bucket it is in and its tag (as in a cuckoo filter, Fan et al., CoNEXT
// 2014). `overflow` counts the keys at home here that live in their alternate (15 = 15 or more, and
// stays), so a miss costs one line while it is 0. When both buckets are full one entry is moved to
// its other bucket; if that fails the segment splits in two. A fixed skew of the hash makes
// segments split at different times, so memory per key is the same at every size (spiral storage,
// Martin, 1979). Segments that became empty enough merge with their buddy.
//
// Protocol between the writer and readers (the pairing of every memory order):
//  - The writer opens a bucket (relaxed), changes tags, refs or the entries that they name by
//    release stores, and closes it (sequence + 1, closed, release).
//  - A reader loads meta (acquire), retries while it is open, loads tags, refs and entry words
//    (acquire) and loads meta again: unchanged means that nothing it read was written meanwhile.
//    The acquire loads keep the second load of meta behind them; the release stores keep the
//    opening in front of the changes: a reader that saw any of them also sees the bucket open or a
//    newer sequence.
//  - An entry is filled before its ref is stored, and freed after the bucket that named it was
//    closed again, so a reader of recycled memory fails its re-check: memory that serves another
//    size, another shard or the system by then, and reads as anything.
//  - A split or merge builds new segments beside the old one, publishes them in the directory
//    (release), and then opens every bucket of the old one for good. Entries are shared by both, so
//    between these two steps the writer changes none. A reader in the old segment either re-checked
//    before that, when what it read was current, or retries through the directory.
//  - Segments are recycled, never unmapped, and their sequences never go back (index_segment.h). A
//    reader that misses checks that the directory still names the segment it searched.
//
// Thread safety: one writer at a time, readers at any time.
//
// Complexity: O(1) expected; a split moves at most 768 refs. Memory: about 8 bytes per key.
//
// Invariants (check_invariants): every ref is reachable by its hash in the segment that the
// directory names; overflow counts match; sizes add up; no bucket is left open.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/base/hash.h"
#include "vigil/base/random.h"
#include "vigil/base/spin_lock.h"
#include "vigil/cache/arena.h"
#include "vigil/cache/entry.h"
#include "vigil/cache/eviction.h"
#include "vigil/cache/index_segment.h"

namespace vigil::cache {

// Which segment, bucket and tag a hash selects; three disjoint groups of its bits.
[[nodiscard]] constexpr std::uint32_t home_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash) & (kSegmentBuckets - 1);
}
[[nodiscard]] constexpr std::uint8_t tag_of(std::uint64_t hash) {
  return table::tag_from_bits(static_cast<std::uint8_t>(hash >> kHomeBits));
}
[[nodiscard]] constexpr std::uint32_t other_bucket(std::uint32_t bucket, std::uint8_t tag) {
  return bucket ^ (1 + tag % (kSegmentBuckets - 1));
}
// u + skew * u * (1 - u), for the upper half of the hash as a fraction u: monotonic, with a slope
// of 1 + skew at the start and 1 - skew at the end. With a skew of a third the density of positions
// doubles from end to end.
[[nodiscard]] constexpr std::uint32_t position_of(std::uint64_t hash) {
  constexpr std::uint64_t kSkewPer256 = 88;
  const std::uint64_t u = hash >> 32;
  const std::uint64_t bulge = u * (0xFFFFFFFFU - u) >> 32;
  return static_cast<std::uint32_t>(u + (bulge * kSkewPer256 >> 8));
}

class Index {
 public:
  // Where an entry is. Valid until the next insert or erase.
  struct Position {
    Bucket* bucket = nullptr;
    Bucket* home = nullptr;
    std::uint32_t slot = 0;

    explicit operator bool() const { return bucket != nullptr; }
    [[nodiscard]] Ref ref() const { return bucket->ref(slot); }
  };

  // The pool must outlive the index.
  Index(Arena& arena, SegmentPool& segments, std::uint64_t hash_seed);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // --- Readers ---

  // Finds the entry with this key and calls visit(const EntryReader&) -> bool, possibly several
  // times; returns what the last, undisturbed call returned, false if there is no such entry.
  template <class Visit>
  bool read(std::uint64_t hash, std::string_view key, Visit&& visit) const;

  void prefetch_bucket(std::uint64_t hash) const;
  void prefetch_entry(std::uint64_t hash) const;

  // A scan goes through the home buckets and, for each, through the positions. Both are properties
  // of a key that splits and merges leave alone, so whatever lies before a point was visited,
  // however the segments are cut meanwhile.
  struct ScanPoint {
    std::uint32_t bucket = 0;
    std::uint32_t position = 0;
    bool end = false;
  };
  struct KeyCopy {
    std::string key;
    EntryHeader header;
  };
  // Appends the entries of one bucket in the segment at `point` and returns the next point.
  ScanPoint scan(ScanPoint point, std::vector<KeyCopy>* entries) const;

  // --- The writer ---

  [[nodiscard]] Position find(std::uint64_t hash, std::string_view key) const;
  [[nodiscard]] Position find_ref(std::uint64_t hash, Ref ref) const;
  // Adds a ref whose entry is filled. False if there is no memory; then nothing has changed.
  // REQUIRES: find() finds no entry with the same key.
  [[nodiscard]] bool insert(std::uint64_t hash, Ref ref, Need need = Need::kGrowth);
  // The entry may be freed afterwards.
  void erase(std::uint64_t hash, Position position);
  void replace(Position position, Ref ref);
  // Calls change() while readers of the entry at `position` are held off.
  template <class Change>
  void modify(Position position, Change&& change) {
    position.bucket->open();
    change();
    position.bucket->close();
  }
  [[nodiscard]] std::uint64_t hash_of(Ref ref) const;

  // The era that uses are marked with (eviction.h); 0: they are not marked.
  [[nodiscard]] Era era() const { return era_.load(std::memory_order_relaxed); }
  void set_era(Era era) { era_.store(era, std::memory_order_relaxed); }
  void mark_used(Position position) const { mark_used(*position.bucket, position.slot); }

  struct Sampled {
    Ref ref;
    std::uint32_t age;  // in eras since it was last used
  };
  // Calls visit(const Sampled&) for the entries of a random bucket.
  template <class Visit>
  void sample(Random& random, Visit&& visit) const;

  // Empties the index. Gives each(refs) what it held, which may be freed then; needs no memory.
  using EachRefs = std::function<void(std::span<const Ref>)>;
  void clear(const EachRefs& each);

  [[nodiscard]] std::uint64_t size() const { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t slots() const {
    return segment_count_.load(std::memory_order_relaxed) * kSegmentSlots;
  }
  void check_invariants() const;

 private:
  static constexpr std::uint32_t kDepthMax = 18;

  // What readers see: 2^depth segments, indexed by the leading bits of the position.
  struct Directory {
    explicit Directory(std::uint32_t bits)
        : depth(bits), segments(new std::atomic<Segment*>[std::size_t{1} << bits]()) {}
    std::uint32_t depth;
    std::unique_ptr<std::atomic<Segment*>[]> segments;

    [[nodiscard]] std::size_t slot(std::uint32_t position) const {
      return depth == 0 ? 0 : position >> (32 - depth);
    }
    [[nodiscard]] std::size_t size() const { return std::size_t{1} << depth; }
  };
  // What only the writer needs to know of a segment.
  struct Leaf {
    Segment* segment = nullptr;
    std::uint32_t depth = 0;     // leading position bits that its keys share
    std::uint32_t position = 0;  // the first position it covers
    std::uint32_t used = 0;
  };

  [[nodiscard]] Segment* segment_for(std::uint64_t hash) const {
    const Directory* directory = directory_.load(std::memory_order_acquire);
    return directory->segments[directory->slot(position_of(hash))].load(std::memory_order_acquire);
  }
  [[nodiscard]] Leaf& leaf_at(std::uint32_t position) const;
  void mark_used(const Bucket& bucket, std::uint32_t slot) const {
    const Era now = era();
    if (now == 0) [[likely]]
      return;
    std::atomic<Era>& last = pool_.last_use(bucket, slot);
    if (last.load(std::memory_order_relaxed) != now) last.store(now, std::memory_order_relaxed);
  }

  // Looks for the key in one bucket. kTorn: a writer interfered.
  enum class Probe : std::uint8_t { kMiss, kHit, kTorn };
  template <class Visit>
  Probe probe(const Bucket& bucket, const Bucket::Snapshot& snapshot, std::uint8_t tag,
              std::string_view key, Visit& visit, bool* result) const;

  template <class Matches>
  [[nodiscard]] Position locate(std::uint64_t hash, Matches&& matches) const;
  [[nodiscard]] bool copy_home_keys(const Segment& segment, std::uint32_t home,
                                    std::vector<KeyCopy>* entries) const;
  [[nodiscard]] bool copy_keys(const Segment& segment, std::uint32_t in, std::uint32_t home,
                               std::vector<KeyCopy>* entries) const;

  // Placing refs in a segment (published or not).
  [[nodiscard]] bool place(Segment& segment, std::uint64_t hash, Ref ref, Era last_use);
  inline void fill(Bucket& bucket, std::uint32_t slot, std::uint8_t tag, Ref ref, Era last_use);
  [[nodiscard]] Era last_use(const Bucket& bucket, std::uint32_t slot) const;
  [[nodiscard]] bool make_room(Segment& segment, std::uint32_t bucket);

  // Growing and shrinking.
  struct Moved {
    std::uint64_t hash;
    Ref ref;
    Era last_use;
  };
  [[nodiscard]] bool split(Leaf& leaf, Need need);
  void merge_if_sparse(const Leaf& leaf);
  [[nodiscard]] bool merge_with_buddy(Leaf& leaf);
  void collect(const Segment& segment, std::vector<Moved>* moved) const;
  [[nodiscard]] bool build(std::vector<Moved>& moved, std::uint32_t depth, std::uint32_t position,
                           Need need, std::vector<Leaf>* built);
  [[nodiscard]] bool replace_leaves(std::vector<Moved>& moved, std::uint32_t depth,
                                    std::uint32_t position, Need need, std::span<Leaf* const> old);
  void publish(const std::vector<Leaf>& built);
  void deepen(std::uint32_t depth);
  void retire(Segment* segment);
  [[nodiscard]] Segment* take_segment(Need need);
  void start();
  void count_segments(std::int64_t by);

  Arena& arena_;
  SegmentPool& pool_;
  std::uint64_t hash_seed_;
  std::atomic<Directory*> directory_{nullptr};
  std::atomic<Era> era_{0};
  alignas(64) std::atomic<std::uint64_t> size_{0};  // apart from what every reader loads
  std::atomic<std::uint64_t> segment_count_{0};
  std::vector<std::unique_ptr<Directory>> directories_;  // all of them: readers may be in old ones
  std::vector<Leaf*> leaf_slots_;                        // parallel to the current directory
  std::unordered_map<std::uint32_t, std::unique_ptr<Leaf>> leaves_;  // by first position
};

template <class Visit>
Index::Probe Index::probe(const Bucket& bucket, const Bucket::Snapshot& snapshot, std::uint8_t tag,
                          std::string_view key, Visit& visit, bool* result) const {
  for (const std::uint32_t slot : snapshot.tags.match(tag)) {
    const char* entry = arena_.at(bucket.ref(slot));
    const EntryReader reader(entry, load_header(entry));
    if (!reader.key_equals(key)) continue;
    // The header is trustworthy from here on, so `visit` gets true sizes.
    if (!bucket.unchanged(snapshot.meta)) return Probe::kTorn;
    *result = visit(reader);
    if (!bucket.unchanged(snapshot.meta)) return Probe::kTorn;
    mark_used(bucket, slot);
    return Probe::kHit;
  }
  return bucket.unchanged(snapshot.meta) ? Probe::kMiss : Probe::kTorn;
}

template <class Visit>
bool Index::read(std::uint64_t hash, std::string_view key, Visit&& visit) const {
  const std::uint8_t tag = tag_of(hash);
  const std::uint32_t home_index = home_of(hash);
  Backoff backoff;
  for (;; backoff.pause()) {
    const Segment* segment = segment_for(hash);
    const Bucket& home = segment->buckets[home_index];
    const Bucket::Snapshot at_home = home.snapshot();
    if (at_home.busy()) continue;
    bool result = false;
    Probe outcome = probe(home, at_home, tag, key, visit, &result);
    if (outcome == Probe::kHit) return result;
    if (outcome == Probe::kTorn) continue;
    if (at_home.overflowed()) {
      const Bucket& other = segment->buckets[other_bucket(home_index, tag)];
      const Bucket::Snapshot at_other = other.snapshot();
      if (at_other.busy()) continue;
      outcome = probe(other, at_other, tag, key, visit, &result);
      if (outcome == Probe::kHit) return result;
      // The key may have moved home after home was searched.
      if (outcome == Probe::kTorn || !home.unchanged(at_home.meta)) continue;
    }
    if (segment_for(hash) == segment) return false;
  }
}

template <class Visit>
void Index::sample(Random& random, Visit&& visit) const {
  const auto position = static_cast<std::uint32_t>(random());
  const auto number = static_cast<std::uint32_t>(random.below(kSegmentBuckets));
  const Bucket& bucket = leaf_at(position).segment->buckets[number];
  for (const std::uint32_t slot : bucket.tags().match_used()) {
    visit(Sampled{bucket.ref(slot), era_age(era(), last_use(bucket, slot))});
  }
}

inline void Index::prefetch_bucket(std::uint64_t hash) const {
  __builtin_prefetch(&segment_for(hash)->buckets[home_of(hash)]);
}

// A hint: the first entry with the right tag, unchecked.
inline void Index::prefetch_entry(std::uint64_t hash) const {
  const Segment* segment = segment_for(hash);
  const std::uint8_t tag = tag_of(hash);
  const Bucket* bucket = &segment->buckets[home_of(hash)];
  Bucket::Snapshot snapshot = bucket->snapshot();
  table::BitMask matches = snapshot.tags.match(tag);
  if (!matches) {
    if (!snapshot.overflowed()) return;
    bucket = &segment->buckets[other_bucket(home_of(hash), tag)];
    matches = bucket->snapshot().tags.match(tag);
    if (!matches) return;
  }
  constexpr std::uint32_t kLineBytes = 64;
  constexpr std::uint32_t kLines = 3;  // a key of 16 bytes with a value of 100
  const char* entry = arena_.at(bucket->ref(matches.first()));
  for (std::uint32_t line = 0; line < kLines; ++line) __builtin_prefetch(entry + line * kLineBytes);
}

}  // namespace vigil::cache
