// SPDX-License-Identifier: Apache-2.0
//
// TimingWheel: when to look at which entry. A hierarchical timing wheel (Varghese and Lauck, SOSP
// 1987) of three levels with 256 slots each and ticks of one millisecond, so it reaches 4.6 hours;
// a later deadline is parked at the far end and added again when its ticket fires.
//
// A ticket is six bytes: the entry's Ref and the low 16 bits of its tick, which together with the
// slot give the exact tick. Tickets are never removed: the entry remembers the tick of its one
// valid ticket, a later deadline leaves the ticket where it is, and the shard drops a fired ticket
// that the entry does not name any more, or adds it again if the deadline has moved. So refreshing
// a deadline costs nothing.
//
// A slot is a list of 128-byte nodes of 20 tickets. advance() does a bounded amount of work per
// call, also inside a cascade, and goes on from there. `phase` shifts the ticks of a wheel, so that
// the wheels of many shards do not cascade in the same millisecond.
//
// Thread safety: belongs to the writer of its shard. next_due_ms() may be called from any thread.
//
// Complexity: add() and each fired ticket O(1); a ticket moves at most twice before it fires.
//
// Invariants (check_invariants): every ticket lies in the slot and on the level that its tick and
// the current tick demand; counts add up.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "vigil/cache/arena.h"

namespace vigil::cache {

class TimingWheel {
 public:
  using Tick = std::uint64_t;  // milliseconds plus the phase
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // Time starts with the first add().
  explicit TimingWheel(std::uint32_t phase) : phase_(phase) {}

  // Schedules `ref` for `deadline_ms` (or for the far end, if that is earlier) and returns the
  // ticket's identity, never 0. A deadline in the past fires at the next tick. An empty wheel first
  // catches up with `now_ms`.
  std::uint32_t add(Ref ref, std::int64_t deadline_ms, std::int64_t now_ms);

  // Whether a ticket that fires at `ticket` would be too late for `deadline_ms`.
  [[nodiscard]] bool too_late(std::uint32_t ticket, std::int64_t deadline_ms) const;

  // Fires every ticket that is due at `now_ms`: fire(ref, ticket), announced a few tickets ahead
  // by prefetch(ref). Stops after `budget` tickets moved or fired; returns whether work that is due
  // is left. `fire` may call add().
  template <class Prefetch, class Fire>
  bool advance(std::int64_t now_ms, std::size_t& budget, Prefetch&& prefetch, Fire&& fire);

  // Looks at the tickets of one node, each call at the next one, and drops those for which
  // current(ref, low 16 bits of the ticket) is false. Keeps a wheel whose entries are replaced all
  // the time from filling up with tickets that nobody will honour.
  template <class Current>
  void scrub(Current&& current);

  // The earliest time at which advance() may have work; kNever if the wheel is empty.
  [[nodiscard]] std::int64_t next_due_ms() const {
    return next_due_ms_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t tickets() const { return tickets_; }
  [[nodiscard]] std::uint64_t memory_bytes() const { return blocks_.size() * sizeof(Block); }
  void clear();
  void check_invariants() const;

 private:
  static constexpr std::uint32_t kLevels = 3;
  static constexpr std::uint32_t kSlotBits = 8;
  static constexpr std::uint32_t kSlots = 1U << kSlotBits;
  static constexpr std::uint32_t kNodeTickets = 20;
  static constexpr std::uint32_t kBlockNodes = 32;
  static constexpr std::size_t kBlocksKept = 2;  // by a wheel without tickets
  static constexpr Tick kReach = (Tick{1} << (kLevels * kSlotBits)) - 1;

  struct Node {
    std::uint32_t next;  // 0 ends the list
    std::uint16_t count;
    std::uint16_t level;
    std::array<Ref, kNodeTickets> refs;
    std::array<std::uint16_t, kNodeTickets> ticks;  // low 16 bits
  };
  static_assert(sizeof(Node) == 128);
  using Block = std::array<Node, kBlockNodes>;

  [[nodiscard]] Node& node(std::uint32_t index) {
    return (*blocks_[index / kBlockNodes])[index % kBlockNodes];
  }
  [[nodiscard]] const Node& node(std::uint32_t index) const {
    return (*blocks_[index / kBlockNodes])[index % kBlockNodes];
  }
  [[nodiscard]] std::uint32_t& slot(std::uint32_t level, Tick tick) {
    return slots_[level][(tick >> (kSlotBits * level)) & (kSlots - 1)];
  }

  // The level for a ticket `distance` ticks after the next one.
  [[nodiscard]] static std::uint32_t level_for(Tick distance) {
    return distance < kSlots ? 0 : distance < Tick{kSlots} * kSlots ? 1 : 2;
  }
  void put(Ref ref, Tick tick);
  [[nodiscard]] bool pop(std::uint32_t& slot, Ref* ref, std::uint16_t* low_bits);
  [[nodiscard]] std::uint32_t take_node();
  void add_block();
  void shrink_if_empty();
  // Moves the tickets of the slots that begin at the next tick one level down.
  [[nodiscard]] bool cascade(std::size_t& budget);
  // The last tick that can be entered without firing or cascading anything, at most `target`.
  [[nodiscard]] Tick last_idle_tick(Tick target) const;
  void publish_next_due();
  void mark(Tick tick) { occupied_[tick % kSlots / 64] |= std::uint64_t{1} << (tick % 64); }
  void unmark(Tick tick) { occupied_[tick % kSlots / 64] &= ~(std::uint64_t{1} << (tick % 64)); }

  std::uint64_t phase_;
  Tick current_ = 0;  // every tick up to this one was fired completely
  std::array<std::array<std::uint32_t, kSlots>, kLevels> slots_{};  // first node, or 0
  std::array<std::uint64_t, kSlots / 64> occupied_{};               // of level 0
  std::array<std::uint64_t, kLevels> level_tickets_{};
  std::uint64_t tickets_ = 0;
  std::uint32_t free_node_ = 0;
  std::uint32_t scrub_node_ = 0;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::atomic<std::int64_t> next_due_ms_{kNever};
};

template <class Prefetch, class Fire>
bool TimingWheel::advance(std::int64_t now_ms, std::size_t& budget, Prefetch&& prefetch,
                          Fire&& fire) {
  const Tick target = static_cast<Tick>(now_ms) + phase_;
  bool more = false;
  while (!more) {
    current_ = std::max(current_, last_idle_tick(target));
    if (current_ >= target) break;
    more = !cascade(budget);
    const Tick entered = current_ + 1;
    std::uint32_t& due = slot(0, entered);
    while (due != 0 && !more) {
      const Node& first = node(due);
      if (first.count == kNodeTickets) {
        for (const Ref ref : first.refs) prefetch(ref);
      }
      Ref ref = kNullRef;
      std::uint16_t low_bits = 0;
      if (budget == 0) {
        more = true;
      } else if (pop(due, &ref, &low_bits)) {
        --budget;
        fire(ref, static_cast<std::uint32_t>(entered));
      }
    }
    if (!more) {
      unmark(entered);
      current_ = entered;
    }
  }
  shrink_if_empty();
  publish_next_due();
  return more;
}

template <class Current>
void TimingWheel::scrub(Current&& current) {
  if (blocks_.empty()) return;
  scrub_node_ = (scrub_node_ + 1) % static_cast<std::uint32_t>(blocks_.size() * kBlockNodes);
  Node& scrubbed = node(scrub_node_);
  for (std::uint32_t i = scrubbed.count; i-- > 0;) {
    if (current(scrubbed.refs[i], scrubbed.ticks[i])) continue;
    --scrubbed.count;
    scrubbed.refs[i] = scrubbed.refs[scrubbed.count];
    scrubbed.ticks[i] = scrubbed.ticks[scrubbed.count];
    --level_tickets_[scrubbed.level];
    --tickets_;
  }
}

}  // namespace vigil::cache
