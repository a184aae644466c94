// SPDX-License-Identifier: Apache-2.0
//
// MapEntryModel: the sequential behaviour of one key of a map with deadlines, for the
// linearizability checker. Values are numbers. Time is part of the state: setting the clock is an
// operation that belongs into the history of every key.
//
// Thread safety: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace vigil::testing {

struct MapEntryModel {
  enum class Kind : std::uint8_t {
    kGet,              // seen
    kInsert,           // value, deadline, done
    kAssign,           // value, deadline; whether there was a value is not checked
    kExchange,         // value, deadline, seen
    kCompareExchange,  // expected, value, done
    kAdd,              // value is added in place; done
    kErase,            // done
    kTake,             // seen
    kUpsert,           // value, deadline if it is added, done: it was
    kGetOrCompute,     // value, deadline, seen
    kCompute,          // value and deadline if absent, else value is added, and an even sum
                       // erased; seen: the value before
    kSetClock,         // deadline: the new time
  };
  struct Operation {
    Kind kind = Kind::kGet;
    std::uint64_t value = 0;
    std::uint64_t expected = 0;
    std::int64_t deadline = 0;                         // 0: none
    std::optional<std::uint64_t> seen = std::nullopt;  // the value that was returned
    bool done = false;                                 // the flag that was returned
  };
  struct State {
    std::optional<std::uint64_t> value;
    std::int64_t deadline = 0;
    std::int64_t now = 0;
    bool operator==(const State&) const = default;
  };

  static State initial() { return {}; }

  static bool step(State& state, const Operation& op) {
    if (state.deadline != 0 && state.deadline <= state.now) state.value.reset();
    const std::optional<std::uint64_t> old = state.value;
    switch (op.kind) {
      case Kind::kGet:
        return op.seen == old;
      case Kind::kInsert:
        if (!old) assign(state, op);
        return op.done == !old;
      case Kind::kAssign:
        assign(state, op);
        return true;
      case Kind::kExchange:
        assign(state, op);
        return op.seen == old;
      case Kind::kCompareExchange:
        if (op.done) state.value = op.value;
        return op.done == (old == op.expected);
      case Kind::kAdd:
        if (old) state.value = *old + op.value;
        return op.done == old.has_value();
      case Kind::kErase:
        state.value.reset();
        return op.done == old.has_value();
      case Kind::kTake:
        state.value.reset();
        return op.seen == old;
      case Kind::kUpsert:
        old ? static_cast<void>(state.value = *old + op.value) : assign(state, op);
        return op.done == !old;
      case Kind::kGetOrCompute:
        if (!old) assign(state, op);
        return op.seen == state.value;
      case Kind::kCompute:
        if (!old) {
          assign(state, op);
        } else {
          state.value = computed(*old, op.value);
        }
        return op.seen == old;
      case Kind::kSetClock:
        state.now = op.deadline;
        return true;
    }
    return false;
  }

  // What kCompute makes of a value.
  static std::optional<std::uint64_t> computed(std::uint64_t old, std::uint64_t added) {
    const std::uint64_t sum = old + added;
    return sum % 2 == 0 ? std::nullopt : std::optional<std::uint64_t>(sum);
  }

  static std::uint64_t fingerprint(const State& state) {
    return state.value.value_or(~std::uint64_t{0}) * 31 +
           static_cast<std::uint64_t>(state.deadline) * 17 + static_cast<std::uint64_t>(state.now);
  }

  static std::string describe(const Operation& op) {
    static constexpr const char* kNames[] = {
        "get",   "insert", "assign", "exchange",       "compare_exchange", "add",
        "erase", "take",   "upsert", "get_or_compute", "compute",          "set_clock"};
    return std::string(kNames[static_cast<std::size_t>(op.kind)]) + "(value " +
           std::to_string(op.value) + ", expected " + std::to_string(op.expected) + ", deadline " +
           std::to_string(op.deadline) + ") = " +
           (op.seen ? "value " + std::to_string(*op.seen)
                    : std::string(op.done ? "true" : "none/false"));
  }

 private:
  static void assign(State& state, const Operation& op) {
    state.value = op.value;
    state.deadline = op.deadline;
  }
};

}  // namespace vigil::testing
