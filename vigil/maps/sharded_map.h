// SPDX-License-Identifier: Apache-2.0
//
// ShardedMap: a concurrent hash map whose readers write no shared memory, with an optional deadline
// per entry. docs/maps.md compares the maps of the family.
//
// Use when: several threads read and write one map, most of all when they read, when keys are short
// (up to 23 bytes of string, or 24 of anything trivially copyable, lie in the table itself), or
// when entries expire. Use instead: RwMap where an iteration must see one moment;
// vigil::cache::Cache for byte strings with versions.
//
// Requirements: Key can be copied (it is never moved), Value can be moved. Hash takes
// std::string_view where Key is std::string, else const Key&, and returns an integer; Equal
// compares two of these. The compiler says so in a sentence (internal/requirements.h).
//
// Thread safety: every member but construction and destruction may be called from any thread.
//
// Consistency: operations on one key are linearizable. for_each, erase_if(predicate), clear and
// sweep work segment by segment (about a hundred entries); size and stats add up shards one after
// the other, so they are exact only while nobody writes. An expired entry is absent for every
// operation, whether or not it was collected; only size() and stats() count it until then.
//
// Blocking: a read takes no lock and does not wait for growth; it waits only for a writer that is
// storing into the same group of 12 slots (a few nanoseconds; it yields if that writer lost its
// core). insert_or_assign that replaces a value in the table, where neither the old nor the new
// entry has a deadline, takes no lock either: it waits only for another writer of the group. Other
// writes hold the spin lock of one shard. Growth moves one segment, at most 132 entries (more only
// when keys share one hash value), in the write that needs it.
//
// Values: trivially copyable ones up to 32 bytes lie in the table. Other copyable ones are
// immutable heap nodes: update() copies, changes the copy and publishes it; readers keep the old
// node alive. Values that can only be moved are changed in place under a lock of their own, which
// visit() takes as well: for them alone, a reader may wait for an update() callback, and update,
// erase_if, compare_*, exchange and take for readers of the value. A writer that waits goes before
// readers that come later, and keeps nobody from other keys.
//
// Reclamation: a read protects the one key and the one value that it uses (hazard pointers,
// vigil/table/hazard.h), for_each the entries of one segment. What was erased or replaced and is
// not so protected is destroyed by writes to the map, when 4 MiB of it (by HeapBytes; 16 KiB a
// shard, if there are more than 256) have come together, at the latest after 262,144 writes of any
// kind, or by reclaim(). At most twice as much waits, plus what readers protect, plus one value for
// each thread that is writing. internal/reclaimer.h has the proof; stats() the figures. Reads in
// one map keep nothing of another alive.
//
// Keys that point elsewhere (std::string_view, pointers with an Equal that follows them): what they
// point to must live until the entry is erased and every read that began before that has returned.
// A part of the entry's own value does, if the value is a heap node; anything else the map cannot
// know. insert_or_assign keeps the key that was there, as std::unordered_map does: do not let it
// point into a value that is replaced.
//
// Callbacks: those of update*, upsert, *compute, erase_if and compare_* (operator==), and Hash and
// Equal, run while the shard is locked (for values that can only be moved: while the value is):
// they may read the map but not write it, which VIGIL_CHECK stops with a message. Those of visit
// and for_each run without a lock and may do both, except for values that can only be moved, where
// any use of the map is stopped. A value passed to a callback must not be kept.
//   allowed:    map.visit(a, [&](const Value& v) { map.insert(b, v); });
//   forbidden:  map.update(a, [&](Value& v) { map.erase(b); });    // stopped, with a message
//
// Deadlines: vigil::Deadline; none means never. The clock is MapClock if the options name one, else
// the system's. insert_or_assign and exchange set the deadline anew; update and
// compare_exchange keep it. An insert_or_assign or exchange at the very moment of expiry may report
// the previous value to its caller while a concurrent reader already misses it. Nothing collects by
// itself but a write that meets an expired entry: call sweep() now and then.
//
// Complexity: O(1) expected; clear, for_each and the like O(size); size and stats O(shards).
// Memory: slots of 8-byte words for key, deadline and value plus 1.3 bytes, filled to about 70 %; a
// map has some ten chunks of 128 groups to spare, and memory returns when entries go. A reservation
// of address space for max_entries is made at construction (not counted as memory before use).
// There is no allocator: the readers that take no lock rely on pages that stay readable and zeroed
// when they are given back (vigil/table/reserved_memory.h), which no allocator promises.
//
// Exceptions: what copies, Hash, Equal and callbacks throw, std::bad_alloc, and std::length_error
// when max_entries is reached, with the strong guarantee per entry: the operation has not happened.
// An update() callback that throws on a value that can only be moved leaves what it did to that
// value. A value given as an rvalue may have been moved from although it was not stored.
//
// Invariants (check_invariants):
//   1. every directory entry leads to the segment of its hash prefix       (internal/directory.h)
//   2. a used slot's tag is that of its key's hash, and a key that equals itself is found
//                                                                          (internal/group.h)
//   3. a key is in at most one slot
//   4. overflow counts are exact below their maximum, no group is frozen while no lock is held
//   5. counters equal what is in the table, allocated segments are reachable ones
//
// Several keys: with_keys() locks their shards in ascending order, so two of them never wait for
// each other in a circle, and changes all entries at one moment: whoever reads one of them while
// they are stored waits for those few stores, not for the callback
// (internal/sharded_map_with_keys.h).
//
// Algorithm: extendible hashing (Fagin et al. 1979) over segments of SIMD-probed groups (Swiss
// tables; overflow counters after F14 and boost::unordered_flat_map) with a sequence per group as
// in Lamport's seqlock (1977), by Boehm's rules for languages with data races (MSPC 2012); after
// Dash (Lu et al., VLDB 2020) in splitting one segment at a time.
//
// Left out on purpose: iterators, moves, emplace (concurrent_map.h says why).
//
// Example:
//   using namespace std::chrono_literals;
//   vigil::ShardedMap<std::string, int> visits({.name = "visits"});
//   assert(visits.insert_or_assign("u:17", 1, vigil::Deadline::after(60s)));
//   assert(visits.update("u:17", [](int& count) { ++count; }));
//   assert(visits.get("u:17") == 2);
//   assert(!visits.contains("u:18"));
//   visits.visit("u:17", [&](int count) { visits.insert("copy", count); });
//   assert(visits.size() == 2);
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/deadline.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"
#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/key_codec.h"
#include "vigil/maps/internal/key_numbers.h"
#include "vigil/maps/internal/reclaimer.h"
#include "vigil/maps/internal/reentry.h"
#include "vigil/maps/internal/requirements.h"
#include "vigil/maps/internal/shard.h"
#include "vigil/maps/internal/table.h"
#include "vigil/maps/internal/value_codec.h"
#include "vigil/maps/map_clock.h"
#include "vigil/maps/map_options.h"
#include "vigil/maps/map_pin.h"
#include "vigil/maps/map_values.h"
#include "vigil/stacks/map_mark.h"
#include "vigil/stacks/type_name.h"
#include "vigil/table/hazard.h"

namespace vigil {

// What is settled when the program is compiled.
struct ShardedMapTraits {
  bool deadlines = true;  // without them a slot is 8 bytes smaller
};

struct ShardedMapOptions {
  std::uint32_t shards = 64;  // power of two, at most 4096
  std::uint64_t max_entries = std::uint64_t{1} << 27;
  const MapClock* clock = nullptr;  // must outlive the map; nullptr: the system's clock
  std::string name = {};            // of the map, for thread dumps (docs/thread-dump.md)
};

struct ShardedMapStats {
  std::uint64_t entries = 0;  // including expired ones not yet collected
  std::uint64_t with_deadline = 0;
  std::uint64_t expired_total = 0;  // collected
  std::uint64_t slots = 0;
  std::uint64_t segments = 0;
  std::uint64_t resizes_total = 0;
  std::uint64_t splits_total = 0;
  std::uint64_t merges_total = 0;
  std::uint64_t retired_nodes = 0;  // unlinked keys and values, not yet destroyed
  std::uint64_t retired_bytes = 0;  // of these, by HeapBytes
  std::uint64_t kept_nodes = 0;     // of these, in use when the map last reclaimed
  std::int32_t keeping_thread = 0;  // the kernel's id of a thread that used one; 0: none
  std::uint64_t table_bytes = 0;    // taken for slots and their metadata; nodes not included
  std::uint64_t directory_bytes = 0;

  [[nodiscard]] double load_factor() const {
    return slots == 0 ? 0.0 : static_cast<double>(entries) / static_cast<double>(slots);
  }
};

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>,
          ShardedMapTraits kTraits = ShardedMapTraits{}>
class ShardedMap {
  static_assert(sizeof(maps::internal::MapRequirements<Key, Value, Hash, Equal>) != 0);
  using Keys = maps::internal::KeyCodec<Key, Hash, Equal>;
  using Values = maps::internal::ValueCodec<Value>;
  using Layout = maps::internal::SlotLayout<Keys::kWords, kTraits.deadlines, Values::kWords>;
  using Table = maps::internal::Table<Keys, Layout>;
  using Search = typename Table::Search;
  using Shard = maps::internal::Shard;
  using Counters = maps::internal::ShardCounters;
  using Words = typename Table::Words;
  using Place = typename Table::Place;
  using Probe = typename Keys::Probe;
  using Node = maps::internal::Node;
  using PreparedValue = typename Values::Prepared;
  static constexpr bool kLocked =
      maps::internal::value_kind<Value>() == maps::internal::ValueKind::kLocked;
  static constexpr bool kCopyable = std::is_copy_constructible_v<Value>;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using hasher = Hash;
  using key_equal = Equal;
  using lookup_type = typename Keys::Lookup;  // std::string_view for std::string, else const Key&
  using key_argument = std::remove_cvref_t<lookup_type>;  // one of several keys
  using GetOrInsertResult = vigil::GetOrInsertResult<Value>;
  using Pin = MapPin<Value>;

  // Throws std::bad_alloc if the address space cannot be reserved, std::length_error if an option
  // is too large.
  explicit ShardedMap(const ShardedMapOptions& options = {}, Hash hash = Hash(),
                      Equal equal = Equal());
  // REQUIRES: no other thread uses the map.
  ~ShardedMap();

  // Calls listener(key, const Value&) for each entry that has expired, when it is collected: by
  // sweep(), or by a write that meets it, as a callback of that write (Callbacks, above), just
  // before the entry is gone. Entries that clear() or the destructor removes are not reported. The
  // listener must not throw. REQUIRES: no other thread uses the map.
  using ExpiryListener = std::function<void(lookup_type, const Value&)>;
  void on_expiry(ExpiryListener listener) requires kCopyable {
    expiry_listener_ = std::move(listener);
  }
  ShardedMap(const ShardedMap&) = delete;
  ShardedMap& operator=(const ShardedMap&) = delete;

  // --- Reads ---------------------------------------------------------------------------------

  // A copy of the value.
  [[nodiscard]] std::optional<Value> get(lookup_type key) const requires kCopyable {
    std::optional<Value> found;
    visit(key, [&found](const Value& value) { found.emplace(value); });
    return found;
  }

  // Calls visitor(const Value&); returns whether there was an entry.
  template <class Visitor>
  bool visit(lookup_type key, Visitor&& visitor) const;

  [[nodiscard]] bool contains(lookup_type key) const { return contains(Probe(keys_, key)); }

  // The value of the entry, to keep and to read outside of any callback (map_pin.h).
  [[nodiscard]] Pin pin(lookup_type key) const requires kCopyable {
    const Probe probe(keys_, key);
    const Protection protection(*this, probe, true);
    Words words;
    if (!read(probe, protection.publish(), words)) return {};
    return Pin(typename Values::Held(value_words(words)));
  }

  // --- Writes --------------------------------------------------------------------------------

  // Adds an entry if there is none; returns whether it did.
  template <class V = Value>
  bool insert(lookup_type key, V&& value, Deadline deadline = {});

  // Adds an entry, or replaces value and deadline; returns whether it added.
  template <class V = Value>
  bool insert_or_assign(lookup_type key, V&& value, Deadline deadline = {});

  // The value of the entry; adds it first if there is none.
  GetOrInsertResult get_or_insert(lookup_type key, const Value& value, Deadline deadline = {});

  // Adds an entry with a Value(args...) if there is none; returns whether it did. Makes the value
  // only then.
  template <class... Args>
  bool try_emplace(lookup_type key, Args&&... args);

  // The value of the entry; adds make() first if there is none. However many threads ask, make runs
  // once for an entry that is added; others who ask meanwhile wait, as do writers of the shard.
  template <class Make>
  GetOrInsertResult get_or_compute(lookup_type key, Make&& make, Deadline deadline = {});

  // Adds on_missing() if there is no entry, else calls on_present(Value&), which keeps the
  // deadline; returns whether it added. Either runs once, as the only writer of the key.
  template <class OnMissing, class OnPresent>
  bool upsert(lookup_type key, OnMissing&& on_missing, OnPresent&& on_present,
              Deadline deadline = {});

  // Calls compute(std::optional<Value>&) as the only writer of the key: with its value, or nothing
  // if there is no entry. What it leaves there becomes the value, which keeps its deadline; nothing
  // means no entry. Returns whether there is one.
  template <class Compute>
  bool compute(lookup_type key, Compute&& compute, Deadline deadline = {});

  // Calls change(MapValues<Value>&) with the values of all keys (map_values.h), as the only writer
  // of each of them; what it leaves there becomes the entries, at one moment, and returns what it
  // returned. Entries that are added get the deadline, others keep theirs. O(k log k) for k keys.
  template <class Change>
  auto with_keys(std::span<const key_argument> keys, Change&& change, Deadline deadline = {})
      -> std::invoke_result_t<Change&, MapValues<Value>&>;
  template <class Change>
  auto with_keys(std::initializer_list<key_argument> keys, Change&& change, Deadline deadline = {})
      -> std::invoke_result_t<Change&, MapValues<Value>&> {
    return with_keys(std::span<const key_argument>(keys.begin(), keys.size()), change, deadline);
  }

  // Stores value and deadline; returns the value that was there.
  template <class V = Value>
  std::optional<Value> exchange(lookup_type key, V&& value, Deadline deadline = {});

  // Replaces a value that equals `expected`; returns whether it did.
  template <class V = Value>
  bool compare_exchange(lookup_type key, const Value& expected, V&& desired);

  // Calls change(Value&) as the only writer of the key; returns whether there was an entry.
  template <class Change>
  bool update(lookup_type key, Change&& change);

  // Calls change(Value&) if predicate(const Value&), in one step; returns whether it did.
  template <class Predicate, class Change>
  bool update_if(lookup_type key, Predicate&& predicate, Change&& change);

  // Removes the entry; returns whether there was one.
  bool erase(lookup_type key);

  // Removes the entry and returns its value.
  std::optional<Value> take(lookup_type key);

  // Removes the entry if its value equals `expected`; returns whether it did.
  bool compare_erase(lookup_type key, const Value& expected) {
    return erase_if(key, [&expected](const Value& value) { return value == expected; });
  }

  // Removes the entry if predicate(const Value&); returns whether it did.
  template <class Predicate>
  bool erase_if(lookup_type key, Predicate&& predicate);

  // --- Bulk ----------------------------------------------------------------------------------

  // Calls visitor(key, const Value&) with lookup_type keys: once for every entry that is present
  // throughout, at most once for others. A visitor that returns false ends it.
  template <class Visitor>
  void for_each(Visitor&& visitor) const;

  // for_each() by the calling thread and up to `threads` - 1 others, which call the visitor at the
  // same time; ends when all have. What one of them throws ends it and is thrown here.
  template <class Visitor>
  void parallel_for_each(unsigned threads, Visitor&& visitor) const;

  // Calls change(key, Value&) as the only writer of one key after the other: once for every entry
  // that is present throughout, at most once for others. Returns how many. If change throws, what
  // it changed so far stays changed.
  template <class Change>
  std::uint64_t update_all(Change&& change);

  // Removes the entries for which predicate(key, const Value&); returns how many. If the predicate
  // throws, what was removed so far stays removed.
  template <class Predicate>
  std::uint64_t erase_if(Predicate&& predicate);

  // Removes every entry that was there when clear() was called.
  void clear();

  struct SweepResult {
    std::uint64_t expired = 0;  // entries removed
    bool wrapped = false;       // the sweep reached the end of the map; the next starts anew
  };
  // Removes expired entries, by `now_ms`, from where the last sweep stopped; looks at about
  // `budget` entries. Returns at once if another thread is sweeping.
  SweepResult sweep(std::int64_t now_ms, std::uint64_t budget) VIGIL_NO_THREAD_SAFETY_ANALYSIS;

  // Destroys the keys and values that were erased or replaced and that no reader uses: for a caller
  // who cannot wait until later writes do (Reclamation, above).
  void reclaim();

  // Gives back what reserve() and entries that are gone have taken, then reclaims. O(size).
  void shrink_to_fit();

  // Makes room for `entries` in all. A hint; growing is cheap without it. Throws std::length_error
  // at once if that is more than max_entries.
  void reserve(std::uint64_t entries);

  // Changes how many writers can work at a time, while readers and writers go on; no entry moves
  // (internal/shard.h). Throws std::bad_alloc, Hash's exceptions and std::length_error; then the
  // number is the old one or a power of two on the way. REQUIRES: a power of two, at most 4096.
  void set_shard_count(std::uint32_t shards);

  // --- Statistics and debugging ----------------------------------------------------------------

  // O(shards); of some moment of the call for each shard, expired entries included.
  [[nodiscard]] std::uint64_t size() const noexcept { return shards_.sum(&Counters::entries); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  // As dumps name the map.
  [[nodiscard]] const std::string& name() const noexcept { return label_.name(); }
  [[nodiscard]] std::uint32_t shard_count() const noexcept { return shards_.count(); }
  [[nodiscard]] ShardedMapStats stats() const noexcept;

  // Stops the program by VIGIL_CHECK if an invariant is broken. Keeps writers out meanwhile.
  void check_invariants() const;

 private:
  template <class, class, class, class>
  friend class ReadMostlyMap;  // is this map under another name

  using Op = MapOperation;
  class Writer;
  class Copies;
  class Borrowed;
  class SeveralWriter;
  struct Nothing {};
  static constexpr bool kHasNode = Keys::kHasNode || Values::kHasNode;
  struct Unmarked {
    Unmarked(const MapLabel&, Op) noexcept {}
  };
  // Marks the running of a callback of visit: it may hold a lock, or keep a node from reclamation.
  using VisitMark = std::conditional_t<kLocked, maps::internal::HeldMap,
                                       std::conditional_t<Values::kHasNode, MapMark, Unmarked>>;
  static constexpr std::int64_t kNever = Deadline::never().unix_ms();

  ShardedMap(std::string_view type, const ShardedMapOptions& options, Hash hash, Equal equal);

  [[nodiscard]] std::int64_t now_ms() const noexcept {
    return clock_ != nullptr ? clock_->now_ms() : unix_ms();
  }
  [[nodiscard]] static bool expired_at(const Words& words, std::int64_t now) noexcept {
    if constexpr (!Layout::kHasDeadline) return false;
    const auto deadline = static_cast<std::int64_t>(words[Layout::kDeadlineAt]);
    return deadline != kNever && deadline <= now;
  }
  [[nodiscard]] bool expired(const Words& words) const noexcept {
    if constexpr (!Layout::kHasDeadline) return false;
    return words[Layout::kDeadlineAt] != kNever && expired_at(words, now_ms());
  }
  // Without a system call: false does not mean that it has expired.
  [[nodiscard]] bool certainly_alive(const Words& words) const noexcept {
    if constexpr (!Layout::kHasDeadline) return true;
    return words[Layout::kDeadlineAt] == kNever ||
           (clock_ != nullptr && !expired_at(words, clock_->now_ms()));
  }
  // Says that this thread uses the nodes of an entry.
  struct Publish {
    table::Hazard* hazard;  // may be none
    bool key;               // its key as well

    [[gnu::always_inline]] void operator()(const Words& words) const noexcept {
      if (!kHasNode || hazard == nullptr) return;
      if constexpr (Keys::kHasNode) {
        if (key) hazard->publish(0, Keys::node(words.data()));
      }
      if constexpr (Values::kHasNode) {
        hazard->publish(1, value_node(words));
      }
    }
  };
  // For the time of one read, if needed.
  class Protection {
   public:
    [[gnu::always_inline]] Protection(const ShardedMap& map, const Probe& probe,
                                      bool needed) noexcept
        : hazard_(kHasNode && needed ? &map.domain_.take() : nullptr),
          key_(probe.needs_confirm()) {}
    [[gnu::always_inline]] ~Protection() {
      if (hazard_ == nullptr) return;
      if (Keys::kHasNode && key_) hazard_->clear(0);
      if constexpr (Values::kHasNode) hazard_->clear(1);
      table::HazardDomain::give_back(*hazard_);
    }
    Protection(const Protection&) = delete;
    Protection& operator=(const Protection&) = delete;

    [[nodiscard]] Publish publish() const noexcept { return {hazard_, key_}; }

   private:
    table::Hazard* hazard_;
    bool key_;
  };
  // visit() with all that may be needed: a guard, another look, the system's clock.
  template <class Visitor>
  bool visit_slow_path(lookup_type key, Visitor& visitor) const;
  // Copies the slot of an entry that has not expired. read() is the way without interruption and
  // small enough to become part of the caller; read_again() does everything.
  // What either protects stays so until the next call or the end of the Protection.
  [[nodiscard, gnu::always_inline]] inline bool read(const Probe& probe, Publish publish,
                                                     Words& words) const;
  struct Reading {
    bool found;
    Words words;
  };
  [[nodiscard]] Reading read_again(lookup_type key, Publish publish) const;
  [[nodiscard]] bool contains(const Probe& probe) const {
    const Protection protection(*this, probe, probe.needs_guard());
    Words words;
    return read(probe, protection.publish(), words);
  }

  // get_or_insert() of a key that was absent a moment ago.
  GetOrInsertResult insert_or_get(lookup_type key, const Value& value, Deadline deadline);
  template <class Make>
  GetOrInsertResult compute_or_get(lookup_type key, Make& make, Deadline deadline);
  // insert_or_assign() with all that may be needed.
  bool assign_slow_path(lookup_type key, PreparedValue& value, Deadline deadline);
  // A callback that may not write gets as far as the lock, which stops it.
  [[nodiscard]] bool replaces_without_lock(const Probe& probe, Deadline deadline) const {
    return deadline.is_never() && !probe.needs_confirm() &&
           !maps::internal::HeldMap::is_held(label_);
  }

  static const std::uint64_t* value_words(const Words& words) noexcept {
    return words.data() + Layout::kValueAt;
  }
  static Node* value_node(const Words& words) noexcept {
    if constexpr (!Values::kHasNode) return nullptr;
    return maps::internal::node_at<Node>(words[Layout::kValueAt]);
  }
  static void set_value(Words& words, Deadline deadline, const PreparedValue& value) {
    if constexpr (Layout::kHasDeadline) {
      words[Layout::kDeadlineAt] = static_cast<std::uint64_t>(deadline.unix_ms());
    } else {
      VIGIL_CHECK(deadline.is_never(), "this map was declared without deadlines");
    }
    std::copy_n(value.words(), Layout::kValueWords, words.data() + Layout::kValueAt);
  }

  // An entry whose value was looked at.
  struct Seen {
    Place place;
    Words words;
  };
  // An empty buffer with room for one segment.
  template <class T>
  static std::vector<T> segment_buffer() {
    std::vector<T> buffer;
    buffer.reserve((Table::kSmallestFullGroups + Table::kFullSizes) *
                   maps::internal::kSlotsPerGroup);
    return buffer;
  }
  // Destroys what nobody uses, unless somebody else is about it and this is not to wait for them.
  void reclaim(bool wait) noexcept;
  // Reclaims at its end, if that is due then.
  struct Reclaiming {
    explicit Reclaiming(ShardedMap& m) noexcept : map(m) {}
    ~Reclaiming() {
      if (due != Shard::Due::kNothing) [[unlikely]]
        map.reclaim(due == Shard::Due::kReclaimAndWait);
    }
    Reclaiming(const Reclaiming&) = delete;
    Reclaiming& operator=(const Reclaiming&) = delete;

    ShardedMap& map;
    Shard::Due due = Shard::Due::kNothing;
  };

  // Values that can only be moved. Calls with(node, Reclaiming& later) while this thread alone has
  // the value of the key, and no lock of the map; again if it returns false. Returns whether there
  // was an entry.
  using Locked = maps::internal::LockedNode<Value>;
  template <class With>
  bool with_locked(lookup_type key, Op operation, With&& with);
  // Whether the node is that of the entry at `place`.
  [[nodiscard]] static bool is_at(const Writer& writer, const Place& place, const Locked& node);
  // predicate(value), during which the map may not be used.
  template <class Predicate>
  bool holds(Predicate&& predicate, const Value& value) {
    const maps::internal::HeldMap held(label_, Op::kErase);
    return predicate(value);
  }
  template <class Predicate>
  std::uint64_t erase_all_locked_if(Predicate& predicate);
  // for_each() of the positions [begin, end) (internal/table.h); whether the visitor goes on.
  template <class Visitor>
  bool for_each_between(std::uint64_t begin, std::uint64_t end, Visitor& visitor) const;
  template <class Compute>
  bool compute_locked(lookup_type key, Compute& compute, Deadline deadline);

  // These two REQUIRE the lock of the shard.
  void erase_at(Shard& shard, Place place) noexcept;
  bool erase_expired(Shard& shard, Place place);  // whether it had expired
  void collect_expired(Shard& shard, Place place, const Words& words);
  void report_expired(const Words& words) const noexcept;
  static void retire_nodes(Shard& shard, const Words& unlinked) noexcept {
    retire_value(shard, value_node(unlinked));
    shard.retire(Keys::node(unlinked.data()));
  }
  static void retire_value(Shard& shard, Node* node) noexcept {
    if constexpr (kLocked) {
      static_cast<Locked*>(node)->unlinked.store(true, std::memory_order_release);
    }
    shard.retire(node);
  }

  // The first of these are all that readers use.
  Keys keys_;
  const MapClock* clock_;
  table::HazardDomain& domain_ = table::HazardDomain::process();
  std::uint64_t max_entries_;
  Table table_;
  mutable maps::internal::Shards shards_;
  mutable maps::internal::Reclaimer reclaimer_{domain_};

  SpinLock sweep_lock_;
  std::uint64_t sweep_position_ VIGIL_GUARDED_BY(sweep_lock_) = 0;
  const MapLabel label_;
  ExpiryListener expiry_listener_;
};

}  // namespace vigil

#include "vigil/maps/internal/sharded_map_impl.h"
// After it.
#include "vigil/maps/internal/sharded_map_compute.h"
#include "vigil/maps/internal/sharded_map_with_keys.h"
