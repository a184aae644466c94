// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/timing_wheel.h"

#include <algorithm>
#include <bit>

#include "vigil/base/check.h"

namespace vigil::cache {

std::uint32_t TimingWheel::add(Ref ref, std::int64_t deadline_ms, std::int64_t now_ms) {
  if (tickets_ == 0) current_ = std::max(current_, static_cast<Tick>(now_ms) + phase_);
  const Tick first = current_ + 1;
  Tick tick = std::max(static_cast<Tick>(deadline_ms) + phase_, first);
  tick = std::min(tick, first + kReach - kSlots);
  if (static_cast<std::uint32_t>(tick) == 0) ++tick;  // 0 means "no ticket" in an entry
  put(ref, tick);
  // A slot of a higher level opens when its first tick is entered.
  const std::uint32_t bits = kSlotBits * level_for(tick - first);
  const auto opens_ms = static_cast<std::int64_t>((tick >> bits << bits) - phase_);
  if (opens_ms < next_due_ms()) next_due_ms_.store(opens_ms, std::memory_order_relaxed);
  return static_cast<std::uint32_t>(tick);
}

bool TimingWheel::too_late(std::uint32_t ticket, std::int64_t deadline_ms) const {
  const Tick wanted = static_cast<Tick>(deadline_ms) + phase_;
  if (wanted > current_ + kReach) return false;  // no ticket lies that far
  return static_cast<std::int32_t>(ticket - static_cast<std::uint32_t>(wanted)) > 0;
}

void TimingWheel::put(Ref ref, Tick tick) {
  const std::uint32_t level = level_for(tick - (current_ + 1));
  std::uint32_t& head = slot(level, tick);
  if (head == 0 || node(head).count == kNodeTickets) {
    const std::uint32_t fresh = take_node();
    node(fresh).next = head;
    node(fresh).level = static_cast<std::uint16_t>(level);
    head = fresh;
  }
  Node& last = node(head);
  last.refs[last.count] = ref;
  last.ticks[last.count] = static_cast<std::uint16_t>(tick);
  ++last.count;
  ++level_tickets_[level];
  ++tickets_;
  if (level == 0) mark(tick);
}

bool TimingWheel::pop(std::uint32_t& slot, Ref* ref, std::uint16_t* low_bits) {
  Node& first = node(slot);
  const bool found = first.count != 0;
  if (found) {
    --first.count;
    *ref = first.refs[first.count];
    *low_bits = first.ticks[first.count];
    --level_tickets_[first.level];
    --tickets_;
  }
  if (first.count == 0) {
    const std::uint32_t emptied = slot;
    slot = first.next;
    first.next = free_node_;
    free_node_ = emptied;
  }
  return found;
}

std::uint32_t TimingWheel::take_node() {
  if (free_node_ == 0) add_block();
  const std::uint32_t index = free_node_;
  Node& taken = node(index);
  free_node_ = taken.next;
  taken.next = 0;
  taken.count = 0;
  return index;
}

void TimingWheel::add_block() {
  const auto first = static_cast<std::uint32_t>(blocks_.size() * kBlockNodes);
  blocks_.push_back(std::make_unique<Block>());
  for (std::uint32_t i = kBlockNodes; i-- > 0;) {
    const std::uint32_t index = first + i;
    if (index == 0) continue;  // node 0 is the end of every list
    node(index).next = free_node_;
    free_node_ = index;
  }
}

bool TimingWheel::cascade(std::size_t& budget) {
  const Tick entered = current_ + 1;
  for (std::uint32_t level = kLevels - 1; level >= 1; --level) {
    const std::uint32_t bits = kSlotBits * level;
    if ((entered & ((Tick{1} << bits) - 1)) != 0) continue;
    std::uint32_t& from = slot(level, entered);
    while (from != 0) {
      if (budget == 0) return false;
      Ref ref = kNullRef;
      std::uint16_t low_bits = 0;
      if (!pop(from, &ref, &low_bits)) continue;
      --budget;
      put(ref, entered + (low_bits & ((Tick{1} << bits) - 1)));
    }
  }
  return true;
}

TimingWheel::Tick TimingWheel::last_idle_tick(Tick target) const {
  if (tickets_ == 0) return target;
  // The next tick at which a level-1 slot opens; nothing below it but what occupied_ shows.
  const Tick first = current_ + 1;
  const bool higher_levels_empty = level_tickets_[0] == tickets_;
  Tick idle = target;
  if (!higher_levels_empty) {
    const Tick boundary = (first + kSlots - 1) & ~Tick{kSlots - 1};
    idle = std::min(idle, boundary - 1);
  }
  if (level_tickets_[0] == 0) return idle;
  for (Tick offset = 0; offset < kSlots;) {
    const Tick tick = first + offset;
    const std::uint64_t word = occupied_[(tick & (kSlots - 1)) / 64] >> (tick % 64);
    if (word != 0) {
      const Tick found = tick + static_cast<Tick>(std::countr_zero(word));
      if (found - first < kSlots) idle = std::min(idle, found - 1);
      break;
    }
    offset += 64 - tick % 64;
  }
  return idle;
}

void TimingWheel::publish_next_due() {
  std::int64_t due = kNever;
  if (tickets_ != 0) {
    const Tick far = current_ + 2 * kReach;
    due = static_cast<std::int64_t>(last_idle_tick(far) + 1 - phase_);
  }
  next_due_ms_.store(due, std::memory_order_relaxed);
}

// Slots may still have nodes from which every ticket was scrubbed.
void TimingWheel::shrink_if_empty() {
  if (tickets_ == 0 && blocks_.size() > kBlocksKept) clear();
}

void TimingWheel::clear() {
  for (auto& level : slots_) level.fill(0);
  occupied_.fill(0);
  level_tickets_.fill(0);
  tickets_ = 0;
  blocks_.clear();
  free_node_ = 0;
  scrub_node_ = 0;
  next_due_ms_.store(kNever, std::memory_order_relaxed);
}

void TimingWheel::check_invariants() const {
  std::uint64_t total = 0;
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    std::uint64_t on_level = 0;
    for (std::uint32_t s = 0; s < kSlots; ++s) {
      for (std::uint32_t index = slots_[level][s]; index != 0; index = node(index).next) {
        const Node& n = node(index);
        VIGIL_CHECK(n.count <= kNodeTickets, "timing wheel: a node holds too many tickets");
        on_level += n.count;
        VIGIL_CHECK(n.level == level, "timing wheel: a node does not know its level");
        for (std::uint32_t i = 0; i < n.count && level < 2; ++i) {
          VIGIL_CHECK((std::uint32_t{n.ticks[i]} >> (kSlotBits * level)) % kSlots == s,
                      "timing wheel: a ticket lies in the wrong slot");
        }
      }
      const bool marked = (occupied_[s / 64] >> (s % 64) & 1) != 0;
      VIGIL_CHECK(level != 0 || slots_[0][s] == 0 || marked,
                  "timing wheel: an occupied slot is not marked");
    }
    VIGIL_CHECK(on_level == level_tickets_[level], "timing wheel: level count is wrong");
    total += on_level;
  }
  VIGIL_CHECK(total == tickets_, "timing wheel: ticket count is wrong");
}

}  // namespace vigil::cache
