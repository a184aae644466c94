// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/shard.h"

#include <algorithm>
#include <span>
#include <vector>

#include "vigil/base/check.h"

namespace vigil::cache {
namespace {

void add(std::atomic<std::uint64_t>& counter, std::int64_t by) {
  counter.store(counter.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(by),
                std::memory_order_relaxed);
}

// A wheel may hold this many tickets beyond one per entry before it is scrubbed.
constexpr std::uint64_t kSpareTickets = 1024;

// A tombstone makes room, sooner or later, and a deletion must not fail for want of it.
Need need_of(const EntryHeader& header) {
  return header.kind == Kind::kTombstone ? Need::kRelief : Need::kGrowth;
}

}  // namespace

// --- Slot --------------------------------------------------------------------------------------

Slot::Slot(Shard& shard, std::uint64_t hash, std::string_view key, std::int64_t now_ms)
    : shard_(shard), hash_(hash), key_(key), now_ms_(now_ms) {
  position_ = shard.find_live(hash, key, now_ms, &header_);
}

Slot::Slot(Shard& shard, std::uint64_t hash, std::string_view key, std::int64_t now_ms,
           Index::Position position)
    : shard_(shard), hash_(hash), key_(key), now_ms_(now_ms), position_(position) {
  if (position) header_ = load_header(shard.arena_.at(position.ref()));
}

std::string_view Slot::value() const {
  return value_in_place(shard_.arena_.at(position_.ref()), header_);
}

std::uint64_t Slot::next_version() const {
  return (has_record() ? header_.version : shard_.version_floor_) + 1;
}

AssignStatus Slot::assign(Kind kind, std::string_view head, std::string_view tail,
                          std::int64_t deadline_ms, std::uint64_t version) {
  if (key_.size() > kKeyBytesMax || head.size() + tail.size() > kValueBytesMax) {
    return AssignStatus::kTooLarge;
  }
  EntryHeader header;
  header.version = version != 0 ? version : next_version();
  header.deadline_ms = deadline_ms;
  header.key_size = static_cast<std::uint32_t>(key_.size());
  header.value_size = static_cast<std::uint32_t>(head.size() + tail.size());
  header.kind = kind;
  return shard_.store(*this, header, head, tail);
}

void Slot::set_deadline(std::int64_t deadline_ms) { shard_.set_deadline(*this, deadline_ms); }

void Slot::erase() {
  shard_.remove(hash_, position_, header_, RemovalCause::kDeleted, now_ms_);
  position_ = {};
  header_ = {};
}

AssignStatus Slot::bury(std::uint64_t version, std::int64_t deadline_ms) {
  if (!has_record()) return assign(Kind::kTombstone, {}, deadline_ms, version);
  header_ =
      shard_.bury(position_, header_, {version, deadline_ms}, RemovalCause::kDeleted, now_ms_);
  return AssignStatus::kStored;
}

Slot Slot::sibling(std::string_view key) const {
  return {shard_, seeded_hash(key, shard_.options_.hash_seed), key, now_ms_};
}

ChangeGroup Slot::group() const { return ChangeGroup(*shard_.options_.observers); }

// --- Entering and leaving ------------------------------------------------------------------------

Shard::Shard(const Memory& memory, const Options& options)
    : budget_(memory.budget),
      arena_(memory.arena),
      slab_(memory.slab),
      options_(options),
      index_(memory.arena, memory.segments, options.hash_seed),
      wheel_(options.wheel_phase),
      random_(options.hash_seed + options.number),
      queue_(options.queue_capacity) {}

void Shard::refuse_reentry() const {
  VIGIL_CHECK(!MapMark::is_exclusive(*options_.label),
              "a callback of a cache wrote to the same cache; finish the first write, then do the "
              "second");
}

bool Shard::try_take() {
  if (taken_.load(std::memory_order_relaxed) != 0 ||
      taken_.exchange(1, std::memory_order_acquire) != 0) {
    return false;
  }
  VIGIL_CHECK(writers_++ == 0, "two writers met in one shard");
  mark_.emplace(*options_.label, MapOperation::kUpdate, MapMark::Kind::kExclusive);
  return true;
}

void Shard::release() {
  mark_.reset();
  --writers_;
  taken_.store(0, std::memory_order_release);
}

bool Shard::try_enter() {
  if (!try_take()) return false;
  if (!queue_.empty()) [[unlikely]]
    drain();  // they came first
  return true;
}

void Shard::enter() {
  Backoff backoff;
  while (!try_enter()) backoff.pause();
}

void Shard::leave() {
  if (!queue_.empty()) [[unlikely]]
    drain();
  release();
}

// Applies at most what fits the queue, so that a holder is not kept by others for ever.
void Shard::drain() {
  for (std::uint32_t i = 0; i < options_.queue_capacity; ++i) {
    PendingWrite* write = queue_.pop();
    if (write == nullptr) return;
    write->apply();
    add(counters_.handed_over, 1);
    write->set_done();  // the waiter may be gone after this
  }
}

WriteStatus Shard::hand_over(PendingWrite& write) {
  const std::uint64_t ticket = queue_.push(&write);
  if (ticket == WriteQueue::kFull) {
    counters_.busy.fetch_add(1, std::memory_order_relaxed);
    return WriteStatus::kBusy;
  }
  Backoff backoff;
  while (!write.done()) {
    if (try_enter()) {  // which drains the queue
      leave();
      continue;
    }
    backoff.pause();
    if (backoff.rounds() >= kWaitRoundsMax && queue_.withdraw(ticket, &write)) {
      counters_.busy.fetch_add(1, std::memory_order_relaxed);
      return WriteStatus::kBusy;
    }
  }
  return WriteStatus::kApplied;
}

// --- Entries -------------------------------------------------------------------------------------

void Shard::count(const EntryHeader& header, std::int64_t by) {
  if (header.hidden()) return add(counters_.hidden, by);
  add(counters_.visible, by);
  if (header.deadline_ms != kNoDeadline) add(counters_.with_deadline, by);
}

Index::Position Shard::find_live(std::uint64_t hash, std::string_view key, std::int64_t now_ms,
                                 EntryHeader* header) {
  const Index::Position position = index_.find(hash, key);
  if (!position) return {};
  *header = load_header(arena_.at(position.ref()));
  index_.mark_used(position);
  if (!header->expired(now_ms)) [[likely]]
    return position;
  expire(hash, position, *header, now_ms);
  const Index::Position tombstone = index_.find(hash, key);
  *header = tombstone ? load_header(arena_.at(tombstone.ref())) : EntryHeader{};
  return tombstone;
}

Ref Shard::create(const EntryHeader& header, std::string_view key, std::string_view head,
                  std::string_view tail) {
  const Ref ref = slab_.allocate(entry_bytes(header.key_size, header.value_size), need_of(header));
  if (ref == kNullRef) return kNullRef;
  char* entry = arena_.at(ref);
  Word* words = entry_words(entry);
  words[0].store(pack_identity(header), std::memory_order_release);
  words[1].store(pack_extent(header), std::memory_order_release);
  const std::uint64_t long_key_size = header.key_size < kLongKeyMark ? 0 : header.key_size;
  words[kTicketWord].store(long_key_size << 32, std::memory_order_release);
  const std::uint32_t key_at = key_offset(header.key_size);
  store_bytes(entry, key_at, key);
  store_bytes(entry, key_at + header.key_size, head);
  store_bytes(entry, key_at + header.key_size + static_cast<std::uint32_t>(head.size()), tail);
  add(counters_.entry_bytes, entry_bytes(header.key_size, header.value_size));
  return ref;
}

bool Shard::insert(Slot& slot, Ref ref, Need need) {
  // The index of a cache that evicts may use the reserve: its entries do not get more.
  if (!index_.insert(slot.hash_, ref, options_.eviction->on() ? Need::kRelief : need)) return false;
  slot.position_ = index_.find_ref(slot.hash_, ref);
  if (options_.eviction->on() || index_.era() != 0) [[unlikely]]
    note_added();
  return true;
}

void Shard::free_entry(Ref ref, const EntryHeader& header) {
  const std::uint32_t bytes = entry_bytes(header.key_size, header.value_size);
  add(counters_.entry_bytes, -static_cast<std::int64_t>(bytes));
  slab_.free(ref);
}

inline Ref Shard::create_for(Slot& slot, const EntryHeader& header, std::string_view head,
                             std::string_view tail) {
  const Ref ref = create(header, slot.key_, head, tail);
  if (ref != kNullRef || !options_.eviction->on()) [[likely]]
    return ref;
  return create_evicting(slot, header, head, tail);
}

// In place. REQUIRES: the entry's object can hold the new bytes.
inline void Shard::overwrite(const Slot& slot, const EntryHeader& header, std::string_view head,
                             std::string_view tail) {
  char* entry = arena_.at(slot.position_.ref());
  index_.modify(slot.position_, [&] {
    const std::uint32_t value_at = key_offset(header.key_size) + header.key_size;
    entry_words(entry)[0].store(pack_identity(header), std::memory_order_release);
    entry_words(entry)[1].store(pack_extent(header), std::memory_order_release);
    store_bytes(entry, value_at, head);
    store_bytes(entry, value_at + static_cast<std::uint32_t>(head.size()), tail);
  });
  add(counters_.entry_bytes,
      std::int64_t{header.value_size} - static_cast<std::int64_t>(slot.header_.value_size));
}

AssignStatus Shard::store(Slot& slot, const EntryHeader& header, std::string_view head,
                          std::string_view tail) {
  const EntryHeader old = slot.header_;
  const std::uint32_t bytes = entry_bytes(header.key_size, header.value_size);
  Ref ref = kNullRef;
  if (!slot.has_record()) {
    ref = create_for(slot, header, head, tail);
    if (ref == kNullRef) return AssignStatus::kOutOfMemory;
    if (!insert(slot, ref, need_of(header))) {
      free_entry(ref, header);
      return AssignStatus::kOutOfMemory;
    }
  } else {
    const Ref replaced = slot.position_.ref();
    const bool same_class =
        size_class_of(bytes) == size_class_of(entry_bytes(old.key_size, old.value_size));
    if (!same_class) ref = create_for(slot, header, head, tail);
    if (ref != kNullRef) {
      index_.replace(slot.position_, ref);
      free_entry(replaced, old);
    } else if (same_class || bytes <= slab_.capacity(replaced)) {
      ref = replaced;
      overwrite(slot, header, head, tail);
    } else {
      return AssignStatus::kOutOfMemory;
    }
    count(old, -1);
  }
  count(header, +1);
  highest_version_ = std::max(highest_version_, header.version);
  schedule(ref, header.deadline_ms, slot.now_ms_);
  if (!options_.observers->of_all.empty()) [[unlikely]]
    tell_stored(ref, header, slot.header_, slot.now_ms_);
  slot.header_ = header;
  return AssignStatus::kStored;
}

void Shard::set_deadline(Slot& slot, std::int64_t deadline_ms) {
  EntryHeader& header = slot.header_;
  const std::int64_t previous_ms = header.deadline_ms;
  count(header, -1);
  header.deadline_ms = deadline_ms;
  count(header, +1);
  const Ref ref = slot.position_.ref();
  index_.modify(slot.position_, [&] {
    entry_words(arena_.at(ref))[1].store(pack_extent(header), std::memory_order_release);
  });
  schedule(ref, deadline_ms, slot.now_ms_);
  const std::vector<ShardObserver*>& observers = options_.observers->of_all;
  if (observers.empty()) return;
  const MovedDeadline moved{options_.number, slot.now_ms_, slot.key_, header, previous_ms};
  for (ShardObserver* observer : observers) observer->deadline_set(moved);
}

void Shard::remove(std::uint64_t hash, Index::Position position, const EntryHeader& header,
                   RemovalCause cause, std::int64_t now_ms) {
  const Ref ref = position.ref();
  index_.erase(hash, position);
  count(header, -1);
  version_floor_ = std::max(version_floor_, header.version);
  if (!options_.observers->of_removals.empty()) [[unlikely]]
    tell_removed(ref, header, cause, false, now_ms);
  free_entry(ref, header);
}

// Drops the value: in a smaller entry, or in place where that would not be smaller or there is no
// memory for one.
EntryHeader Shard::bury(Index::Position position, const EntryHeader& header, const Tombstone& kept,
                        RemovalCause cause, std::int64_t now_ms) {
  EntryHeader tombstone = header;
  tombstone.kind = Kind::kTombstone;
  tombstone.version = kept.version;
  tombstone.deadline_ms = kept.deadline_ms;
  tombstone.value_size = 0;
  const Ref old = position.ref();
  const std::uint32_t old_bytes = entry_bytes(header.key_size, header.value_size);
  const bool smaller = size_class_of(entry_bytes(header.key_size, 0)) < size_class_of(old_bytes);
  Ref ref = smaller ? create(tombstone, key_in_place(arena_.at(old), header), {}, {}) : kNullRef;
  if (ref != kNullRef) {
    index_.replace(position, ref);
  } else {
    ref = old;
    index_.modify(position, [&] {
      Word* words = entry_words(arena_.at(old));
      words[0].store(pack_identity(tombstone), std::memory_order_release);
      words[1].store(pack_extent(tombstone), std::memory_order_release);
    });
    add(counters_.entry_bytes, -static_cast<std::int64_t>(header.value_size));
    store_ticket(arena_.at(old), 0);
  }
  count(header, -1);
  count(tombstone, +1);
  highest_version_ = std::max(highest_version_, tombstone.version);
  schedule(ref, tombstone.deadline_ms, now_ms);
  if (!options_.observers->of_removals.empty()) [[unlikely]] {
    if (!header.hidden()) tell_removed(old, header, cause, true, now_ms);
    tell_stored(ref, tombstone, header.hidden() ? header : EntryHeader{}, now_ms);
  }
  if (ref != old) free_entry(old, header);
  return tombstone;
}

// Versions go on above those that were cleared, as after a removal.
void Shard::clear() {
  version_floor_ = highest_version_;
  index_.clear([&](std::span<const Ref> refs) { slab_.free(refs); });
  wheel_.clear();
  charge_wheel();
  for (auto* counter :
       {&counters_.visible, &counters_.hidden, &counters_.with_deadline, &counters_.entry_bytes}) {
    counter->store(0, std::memory_order_relaxed);
  }
  for (ShardObserver* observer : options_.observers->of_all) {
    observer->cleared(options_.number, version_floor_);
  }
}

Slot Shard::stored_slot(std::uint64_t hash, std::string_view key, std::int64_t now_ms) {
  return {*this, hash, key, now_ms, index_.find(hash, key)};
}

void Shard::raise_version_floor(std::uint64_t version) {
  version_floor_ = std::max(version_floor_, version);
  highest_version_ = std::max(highest_version_, version);
}

void Shard::tell_stored(Ref ref, const EntryHeader& header, const EntryHeader& previous,
                        std::int64_t now_ms) const {
  const char* entry = arena_.at(ref);
  const StoredEntry stored{options_.number,
                           now_ms,
                           key_in_place(entry, header),
                           value_in_place(entry, header),
                           header,
                           previous.version == 0 ? nullptr : &previous};
  for (ShardObserver* observer : options_.observers->of_all) observer->stored(stored);
}

void Shard::tell_removed(Ref ref, const EntryHeader& header, RemovalCause cause,
                         bool leaves_tombstone, std::int64_t now_ms) const {
  const char* entry = arena_.at(ref);
  const RemovedEntry removed{options_.number,
                             now_ms,
                             key_in_place(entry, header),
                             value_in_place(entry, header),
                             header,
                             cause,
                             leaves_tombstone};
  for (ShardObserver* observer : options_.observers->of_removals) observer->removed(removed);
}

// --- Expiry --------------------------------------------------------------------------------------

void Shard::schedule(Ref ref, std::int64_t deadline_ms, std::int64_t now_ms) {
  if (deadline_ms == kNoDeadline) return;
  char* entry = arena_.at(ref);
  const std::uint32_t ticket = load_ticket(entry);
  if (ticket != 0 && !wheel_.too_late(ticket, deadline_ms)) return;
  store_ticket(entry, wheel_.add(ref, deadline_ms, now_ms));
  const std::uint64_t honest = counters_.with_deadline.load(std::memory_order_relaxed) +
                               counters_.hidden.load(std::memory_order_relaxed);
  if (wheel_.tickets() > 2 * honest + kSpareTickets) {
    wheel_.scrub([&](Ref other, std::uint16_t low_bits) {
      return static_cast<std::uint16_t>(load_ticket(arena_.at(other))) == low_bits;
    });
  }
  charge_wheel();
}

// A deadline cannot be refused, so its ticket may go beyond the limit.
void Shard::charge_wheel() {
  const std::uint64_t charged = counters_.wheel_bytes.load(std::memory_order_relaxed);
  const std::uint64_t now = wheel_.memory_bytes();
  if (now == charged) [[likely]]
    return;
  now > charged ? budget_.take_anyway(now - charged) : budget_.give_back(charged - now);
  counters_.wheel_bytes.store(now, std::memory_order_relaxed);
}

// A fired ticket may be outdated: its entry replaced, its memory in use for something else, perhaps
// by another shard. Nothing is believed before the index names this very ref for the key found
// there.
void Shard::on_ticket(Ref ref, std::uint32_t ticket, std::int64_t now_ms) {
  char* entry = arena_.at(ref);
  if (load_ticket(entry) != ticket) return;
  const EntryReader reader(entry, load_header(entry));
  scratch_key_.resize(reader.header().key_size);
  reader.copy_key(scratch_key_.data());
  const std::uint64_t hash = seeded_hash(scratch_key_, options_.hash_seed);
  const Index::Position position = index_.find_ref(hash, ref);
  if (!position) return;
  const EntryHeader header = load_header(entry);
  if (header.expired(now_ms)) {
    expire(hash, position, header, now_ms);
    return;
  }
  store_ticket(entry, 0);
  schedule(ref, header.deadline_ms, now_ms);
}

void Shard::expire(std::uint64_t hash, Index::Position position, const EntryHeader& header,
                   std::int64_t now_ms) {
  if (!header.hidden()) add(counters_.expired, 1);
  const std::int64_t retention_ms = (*options_.retention_ms)[static_cast<std::size_t>(header.kind)];
  if (retention_ms > 0) {
    bury(position, header, {header.version, now_ms + retention_ms}, RemovalCause::kExpired, now_ms);
  } else {
    remove(hash, position, header, RemovalCause::kExpired, now_ms);
  }
}

std::size_t Shard::collect_expired(std::int64_t now_ms, std::size_t* budget, bool* more) {
  const std::uint64_t before = counters_.expired.load(std::memory_order_relaxed);
  const bool left = wheel_.advance(
      now_ms, *budget, [&](Ref ref) { __builtin_prefetch(arena_.at(ref)); },
      [&](Ref ref, std::uint32_t ticket) { on_ticket(ref, ticket, now_ms); });
  charge_wheel();
  *more = *more || left;
  return counters_.expired.load(std::memory_order_relaxed) - before;
}

void Shard::check_invariants() const {
  index_.check_invariants();
  wheel_.check_invariants();
  const std::uint64_t visible = counters_.visible.load(std::memory_order_relaxed);
  const std::uint64_t hidden = counters_.hidden.load(std::memory_order_relaxed);
  VIGIL_CHECK(visible + hidden == index_.size(), "shard: the counters do not add up to the index");
}

}  // namespace vigil::cache
