// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/index.h"

#include <algorithm>
#include <unordered_set>

#include "vigil/base/check.h"

namespace vigil::cache {
namespace {

// Two leaves merge when together they would fill less than this share of a segment, far below
// the load at which one splits, so that a size near the limit does not split and merge in turn.
constexpr std::uint32_t kMergeBelow = kSegmentSlots * 2 / 5;
// How sparse a leaf must be before its buddy is looked at.
constexpr std::uint32_t kSparseBelow = kSegmentSlots / 5;

// A sparse leaf is looked at again after this many more erasures.
constexpr std::uint32_t kMergeInterval = 16;

constexpr std::size_t kPrefetchAhead = 12;

// Opens a bucket for a change, unless it is open already because its segment is not published.
class BucketChange {
 public:
  explicit BucketChange(Bucket& bucket) : bucket_(bucket), opened_(!bucket.is_open()) {
    if (opened_) bucket_.open();
  }
  ~BucketChange() {
    if (opened_) bucket_.close();
  }
  BucketChange(const BucketChange&) = delete;
  BucketChange& operator=(const BucketChange&) = delete;

 private:
  Bucket& bucket_;
  bool opened_;
};

}  // namespace

Index::Index(Arena& arena, SegmentPool& segments, std::uint64_t hash_seed)
    : arena_(arena), pool_(segments), hash_seed_(hash_seed) {
  directories_.push_back(std::make_unique<Directory>(0));
  start();
  directory_.store(directories_.back().get(), std::memory_order_release);
}

Index::~Index() {
  for (const auto& [position, leaf] : leaves_) retire(leaf->segment);
}

// One empty segment, named by every slot of the newest directory.
void Index::start() {
  Segment* segment = pool_.take_anyway();
  count_segments(+1);
  for (Bucket& bucket : segment->buckets) bucket.close();
  leaves_.clear();
  Leaf* leaf = (leaves_[0] = std::make_unique<Leaf>(Leaf{segment, 0, 0, 0})).get();
  const Directory& directory = *directories_.back();
  leaf_slots_.assign(directory.size(), leaf);
  for (std::size_t i = 0; i < directory.size(); ++i) {
    directory.segments[i].store(segment, std::memory_order_release);
  }
}

void Index::clear(const EachRefs& each) {
  std::vector<Segment*> old;
  for (const auto& [position, leaf] : leaves_) old.push_back(leaf->segment);
  start();
  std::vector<Ref> refs;
  for (Segment* segment : old) {
    refs.clear();
    for (Bucket& bucket : segment->buckets) {
      bucket.open();
      for (const std::uint32_t slot : bucket.tags().match_used()) refs.push_back(bucket.ref(slot));
    }
    each(refs);
    retire(segment);
  }
  size_.store(0, std::memory_order_relaxed);
}

void Index::count_segments(std::int64_t by) {
  segment_count_.store(
      segment_count_.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(by),
      std::memory_order_relaxed);
}

// --- Finding -----------------------------------------------------------------------------------

Index::Leaf& Index::leaf_at(std::uint32_t position) const {
  const Directory* directory = directory_.load(std::memory_order_relaxed);
  return *leaf_slots_[directory->slot(position)];
}

std::uint64_t Index::hash_of(Ref ref) const {
  const char* entry = arena_.at(ref);
  return seeded_hash(key_in_place(entry, load_header(entry)), hash_seed_);
}

template <class Matches>
Index::Position Index::locate(std::uint64_t hash, Matches&& matches) const {
  Segment* segment = segment_for(hash);
  const std::uint8_t tag = tag_of(hash);
  Bucket* home = &segment->buckets[home_of(hash)];
  for (const std::uint32_t slot : home->tags().match(tag)) {
    if (matches(home->ref(slot))) return {home, home, slot};
  }
  if (home->overflow() == 0) return {};
  Bucket* other = &segment->buckets[other_bucket(home_of(hash), tag)];
  for (const std::uint32_t slot : other->tags().match(tag)) {
    if (matches(other->ref(slot))) return {other, home, slot};
  }
  return {};
}

Index::Position Index::find(std::uint64_t hash, std::string_view key) const {
  return locate(hash, [&](Ref ref) {
    const char* entry = arena_.at(ref);
    return EntryReader(entry, load_header(entry)).key_equals(key);
  });
}

Index::Position Index::find_ref(std::uint64_t hash, Ref ref) const {
  return locate(hash, [&](Ref candidate) { return candidate == ref; });
}

// --- Changing ----------------------------------------------------------------------------------

bool Index::insert(std::uint64_t hash, Ref ref, Need need) {
  for (;;) {
    Leaf& leaf = leaf_at(position_of(hash));
    if (place(*leaf.segment, hash, ref, era())) {
      ++leaf.used;
      size_.store(size() + 1, std::memory_order_relaxed);
      return true;
    }
    if (!split(leaf, need)) return false;
  }
}

Era Index::last_use(const Bucket& bucket, std::uint32_t slot) const {
  return era() == 0 ? Era{0} : pool_.last_use(bucket, slot).load(std::memory_order_relaxed);
}

// REQUIRES: the bucket is open.
inline void Index::fill(Bucket& bucket, std::uint32_t slot, std::uint8_t tag, Ref ref,
                        Era last_use) {
  bucket.set(slot, tag, ref);
  if (era() != 0) pool_.last_use(bucket, slot).store(last_use, std::memory_order_relaxed);
}

bool Index::place(Segment& segment, std::uint64_t hash, Ref ref, Era last_use) {
  const std::uint8_t tag = tag_of(hash);
  const std::uint32_t home_index = home_of(hash);
  const std::uint32_t other_index = other_bucket(home_index, tag);
  Bucket& home = segment.buckets[home_index];
  Bucket& other = segment.buckets[other_index];
  for (;;) {
    if (const auto room = home.tags().match_free()) {
      const BucketChange change(home);
      fill(home, room.first(), tag, ref, last_use);
      return true;
    }
    if (const auto room = other.tags().match_free()) {
      // Before the key appears: a reader that sees 0 can miss only an unfinished insert.
      home.add_overflow();
      const BucketChange change(other);
      fill(other, room.first(), tag, ref, last_use);
      return true;
    }
    if (!make_room(segment, home_index) && !make_room(segment, other_index)) return false;
  }
}

// Moves one entry of the bucket to its other bucket.
bool Index::make_room(Segment& segment, std::uint32_t bucket) {
  Bucket& from = segment.buckets[bucket];
  for (const std::uint32_t slot : from.tags().match_used()) {
    const std::uint8_t tag = from.tag(slot);
    Bucket& to = segment.buckets[other_bucket(bucket, tag)];
    const auto room = to.tags().match_free();
    if (!room) continue;
    const Ref ref = from.ref(slot);
    const bool leaves_home = home_of(hash_of(ref)) == bucket;
    const BucketChange change_from(from);
    const BucketChange change_to(to);
    if (leaves_home) {
      from.add_overflow();
    } else {
      to.remove_overflow();
    }
    fill(to, room.first(), tag, ref, last_use(from, slot));
    from.erase(slot);
    return true;
  }
  return false;
}

void Index::erase(std::uint64_t hash, Position position) {
  {
    const BucketChange change(*position.bucket);
    position.bucket->erase(position.slot);
  }
  if (position.bucket != position.home) position.home->remove_overflow();
  size_.store(size() - 1, std::memory_order_relaxed);
  Leaf& leaf = leaf_at(position_of(hash));
  --leaf.used;
  merge_if_sparse(leaf);
}

void Index::replace(Position position, Ref ref) {
  const BucketChange change(*position.bucket);
  position.bucket->set_ref(position.slot, ref);
}

// --- Growing and shrinking ---------------------------------------------------------------------

bool Index::split(Leaf& leaf, Need need) {
  if (leaf.depth == kDepthMax) return false;
  std::vector<Moved> moved;
  collect(*leaf.segment, &moved);
  Leaf* old = &leaf;
  return replace_leaves(moved, leaf.depth + 1, leaf.position, need, {&old, 1});
}

void Index::merge_if_sparse(const Leaf& leaf) {
  if (leaf.used % kMergeInterval != 0) return;
  // What has merged may have waited for this to merge further.
  const std::uint32_t position = leaf.position;
  while (merge_with_buddy(leaf_at(position))) {
  }
}

bool Index::merge_with_buddy(Leaf& leaf) {
  if (leaf.depth == 0 || leaf.used >= kSparseBelow) return false;
  Leaf& buddy = leaf_at(leaf.position ^ (1U << (32 - leaf.depth)));
  if (buddy.depth != leaf.depth || leaf.used + buddy.used >= kMergeBelow) return false;
  std::vector<Moved> moved;
  collect(*leaf.segment, &moved);
  collect(*buddy.segment, &moved);
  const std::array<Leaf*, 2> old{&leaf, &buddy};
  // Without memory for the new segment the two simply stay.
  return replace_leaves(moved, leaf.depth - 1, std::min(leaf.position, buddy.position),
                        Need::kRelief, old);
}

void Index::collect(const Segment& segment, std::vector<Moved>* moved) const {
  const std::size_t first = moved->size();
  moved->reserve(first + kSegmentSlots);
  for (const Bucket& bucket : segment.buckets) {
    for (const std::uint32_t slot : bucket.tags().match_used()) {
      moved->push_back({0, bucket.ref(slot), last_use(bucket, slot)});
    }
  }
  for (std::size_t i = first; i < moved->size(); ++i) {
    if (i + kPrefetchAhead < moved->size()) {
      __builtin_prefetch(arena_.at((*moved)[i + kPrefetchAhead].ref));
    }
    (*moved)[i].hash = hash_of((*moved)[i].ref);
  }
}

// Builds the leaves that hold `moved`, of `depth` or deeper, starting at `position`; for a split
// `depth` is one more than the old leaf's and there are two of them.
bool Index::replace_leaves(std::vector<Moved>& moved, std::uint32_t depth, std::uint32_t position,
                           Need need, std::span<Leaf* const> old) {
  std::vector<Leaf> built;
  bool ok = true;
  if (depth > old.front()->depth) {
    const std::uint32_t half = 1U << (32 - depth);
    const auto upper = std::partition(moved.begin(), moved.end(), [&](const Moved& item) {
      return (position_of(item.hash) & half) == 0;
    });
    std::vector<Moved> right(upper, moved.end());
    moved.erase(upper, moved.end());
    ok = build(moved, depth, position, need, &built) &&
         build(right, depth, position | half, need, &built);
  } else {
    ok = build(moved, depth, position, need, &built);
  }
  if (!ok) {
    for (const Leaf& leaf : built) retire(leaf.segment);
    return false;
  }
  std::vector<Segment*> old_segments;
  for (Leaf* leaf : old) {
    old_segments.push_back(leaf->segment);
    const std::uint32_t first_position = leaf->position;
    leaves_.erase(first_position);
  }
  publish(built);
  for (Segment* segment : old_segments) retire(segment);
  return true;
}

// Should the keys not fit (a bucket pair may be full although the segment is not), their leaf is
// split further.
bool Index::build(std::vector<Moved>& moved, std::uint32_t depth, std::uint32_t position, Need need,
                  std::vector<Leaf>* built) {
  Segment* segment = take_segment(need);
  if (segment == nullptr) return false;
  const bool fits = std::all_of(moved.begin(), moved.end(), [&](const Moved& item) {
    return place(*segment, item.hash, item.ref, item.last_use);
  });
  if (fits) {
    built->push_back({segment, depth, position, static_cast<std::uint32_t>(moved.size())});
    return true;
  }
  retire(segment);
  if (depth == kDepthMax) return false;
  const std::uint32_t half = 1U << (32 - (depth + 1));
  const auto upper = std::partition(moved.begin(), moved.end(), [&](const Moved& item) {
    return (position_of(item.hash) & half) == 0;
  });
  std::vector<Moved> right(upper, moved.end());
  moved.erase(upper, moved.end());
  return build(moved, depth + 1, position, need, built) &&
         build(right, depth + 1, position | half, need, built);
}

void Index::publish(const std::vector<Leaf>& built) {
  for (const Leaf& leaf : built) {
    deepen(leaf.depth);
    for (Bucket& bucket : leaf.segment->buckets) bucket.close();
  }
  const Directory* directory = directory_.load(std::memory_order_relaxed);
  for (const Leaf& leaf : built) {
    Leaf* kept = (leaves_[leaf.position] = std::make_unique<Leaf>(leaf)).get();
    const std::size_t first = directory->slot(leaf.position);
    const std::size_t count = std::size_t{1} << (directory->depth - leaf.depth);
    for (std::size_t i = first; i < first + count; ++i) {
      leaf_slots_[i] = kept;
      directory->segments[i].store(leaf.segment, std::memory_order_release);
    }
  }
}

void Index::deepen(std::uint32_t depth) {
  while (directory_.load(std::memory_order_relaxed)->depth < depth) {
    const Directory* old = directory_.load(std::memory_order_relaxed);
    auto deeper = std::make_unique<Directory>(old->depth + 1);
    std::vector<Leaf*> slots(deeper->size());
    for (std::size_t i = 0; i < deeper->size(); ++i) {
      slots[i] = leaf_slots_[i / 2];
      deeper->segments[i].store(old->segments[i / 2].load(std::memory_order_relaxed),
                                std::memory_order_relaxed);
    }
    leaf_slots_ = std::move(slots);
    directory_.store(deeper.get(), std::memory_order_release);
    directories_.push_back(std::move(deeper));
  }
}

// Readers that are still in the segment see it open until it is published again.
void Index::retire(Segment* segment) {
  for (Bucket& bucket : segment->buckets) bucket.open();
  pool_.give_back(segment);
  count_segments(-1);
}

Segment* Index::take_segment(Need need) {
  Segment* segment = pool_.take(need);
  if (segment != nullptr) count_segments(+1);
  return segment;
}

// --- Scanning ----------------------------------------------------------------------------------

Index::ScanPoint Index::scan(ScanPoint point, std::vector<KeyCopy>* entries) const {
  const std::size_t kept = entries->size();
  Backoff backoff;
  for (;; backoff.pause()) {
    entries->resize(kept);
    const Directory* directory = directory_.load(std::memory_order_acquire);
    const std::size_t slot = directory->slot(point.position);
    const Segment* segment = directory->segments[slot].load(std::memory_order_acquire);
    if (!copy_home_keys(*segment, point.bucket, entries)) continue;
    std::size_t next = slot + 1;
    while (next < directory->size() &&
           directory->segments[next].load(std::memory_order_acquire) == segment) {
      ++next;
    }
    if (next < directory->size()) {
      return {point.bucket, static_cast<std::uint32_t>(next << (32 - directory->depth)), false};
    }
    return {point.bucket + 1, 0, point.bucket + 1 == kSegmentBuckets};
  }
}

// Copies every key whose home is bucket `home`, wherever in the segment it is. A key that moves
// between its two buckets changes the home bucket, so an unchanged home means that none was missed.
bool Index::copy_home_keys(const Segment& segment, std::uint32_t home,
                           std::vector<KeyCopy>* entries) const {
  const Bucket& bucket = segment.buckets[home];
  const Bucket::Snapshot snapshot = bucket.snapshot();
  if (snapshot.busy()) return false;
  for (std::uint32_t i = 0; i < kSegmentBuckets; ++i) {
    if (i != home && !snapshot.overflowed()) continue;
    if (!copy_keys(segment, i, home, entries)) return false;
  }
  return bucket.unchanged(snapshot.meta);
}

// Copies the keys in bucket `in` whose home is `home`.
bool Index::copy_keys(const Segment& segment, std::uint32_t in, std::uint32_t home,
                      std::vector<KeyCopy>* entries) const {
  const Bucket& bucket = segment.buckets[in];
  const Bucket::Snapshot snapshot = bucket.snapshot();
  if (snapshot.busy()) return false;
  for (const std::uint32_t slot : snapshot.tags.match_used()) {
    if (in != home && other_bucket(in, bucket.tag(slot)) != home) continue;
    const char* entry = arena_.at(bucket.ref(slot));
    const EntryReader reader(entry, load_header(entry));
    if (!bucket.unchanged(snapshot.meta)) return false;
    KeyCopy copy{std::string(reader.header().key_size, '\0'), reader.header()};
    reader.copy_key(copy.key.data());
    if (home_of(seeded_hash(copy.key, hash_seed_)) == home) entries->push_back(std::move(copy));
  }
  return bucket.unchanged(snapshot.meta);
}

// --- Invariants --------------------------------------------------------------------------------

void Index::check_invariants() const {
  std::uint64_t total = 0;
  std::unordered_set<Ref> seen;
  for (const auto& [first_position, leaf] : leaves_) {
    std::uint32_t used = 0;
    std::array<std::uint32_t, kSegmentBuckets> away{};
    for (std::uint32_t b = 0; b < kSegmentBuckets; ++b) {
      const Bucket& bucket = leaf->segment->buckets[b];
      VIGIL_CHECK(!bucket.is_open(), "index: a published bucket is open");
      for (const std::uint32_t slot : bucket.tags().match_used()) {
        const Ref ref = bucket.ref(slot);
        const std::uint64_t hash = hash_of(ref);
        VIGIL_CHECK(seen.insert(ref).second, "index: two slots name one entry");
        VIGIL_CHECK(bucket.tag(slot) == tag_of(hash), "index: a tag does not match its key");
        VIGIL_CHECK(&leaf_at(position_of(hash)) == leaf.get(),
                    "index: a key lies in another segment than the directory names");
        VIGIL_CHECK(b == home_of(hash) || b == other_bucket(home_of(hash), tag_of(hash)),
                    "index: a key lies in a bucket that is neither of its two");
        if (b != home_of(hash)) ++away[home_of(hash)];
        ++used;
      }
    }
    for (std::uint32_t b = 0; b < kSegmentBuckets; ++b) {
      const std::uint32_t overflow = leaf->segment->buckets[b].overflow();
      VIGIL_CHECK(overflow == Bucket::kOverflowMax || overflow == away[b],
                  "index: an overflow count is wrong");
    }
    VIGIL_CHECK(used == leaf->used, "index: a leaf's count is wrong");
    VIGIL_CHECK(leaf->position == first_position, "index: a leaf is filed under a wrong position");
    total += used;
  }
  VIGIL_CHECK(total == size(), "index: the size is wrong");
}

}  // namespace vigil::cache
