// SPDX-License-Identifier: Apache-2.0
//
// Linearizability: was there one order of the recorded operations, each at a moment between its
// begin and its end, in which a sequential Model gives the recorded results?
// (Herlihy and Wing, TOPLAS 1990.)
//
// Use when: a test runs operations on several threads and wants the strongest answer about their
// results. The problem is NP-complete in general: record one history per key (operations on
// different keys commute), and keep few operations in flight.
//
// Algorithm: the search of Wing and Gong (JPDC 1993) with Lowe's memoisation of (set of operations
// done, state) pairs (CCPE 2017): whatever order led there, the rest is the same. A pair is noted
// when the search gives it up, not when it gets there: both never visit one twice, and most
// histories are decided without giving anything up.
//
// A Model describes the sequential behaviour:
//
//   struct RegisterModel {
//     struct Operation { bool write; int value; };            // call and recorded result in one
//     using State = int;                                      // copyable, ==
//     static State initial() { return 0; }
//     static bool step(State& state, const Operation& op) {   // would `op` give its result here?
//       if (op.write) state = op.value;
//       return op.value == state;
//     }
//     static std::uint64_t fingerprint(const State& state);   // equal states, equal fingerprints
//     static std::string describe(const Operation& op);       // for the message of a failure
//   };
//
// step() may leave the state in disorder when it returns false.
//
// Thread safety: a Recorder belongs to one thread; the rest is pure.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "vigil/base/clock.h"

namespace vigil::testing {

// One operation and when it ran. An operation precedes another if it ended before that began; equal
// times count as overlapping.
template <class Operation>
struct Recorded {
  Operation operation;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

template <class Operation>
using History = std::vector<Recorded<Operation>>;

// Collects what one thread does; histories of several threads are concatenated in any order.
// Recording is no synchronisation between threads, so it hides no race. But the stores of an
// operation may lie in the processor's store buffer for some nanoseconds after it returned. No
// program can tell, except by comparing clocks, which is what a checker does: so the stores are
// drained before the end is read.
template <class Operation>
class Recorder {
 public:
  // Runs run(), which performs an operation and returns it with its result.
  template <class Run>
  void record(Run&& run) {
    const std::int64_t begin = monotonic_ns();
    Operation operation = run();
    drain_stores();
    const std::int64_t end = monotonic_ns();
    history_.push_back({std::move(operation), begin, end});
  }
  [[nodiscard]] const History<Operation>& history() const { return history_; }

 private:
  // A locked instruction (x86: a full barrier) on a word that no other thread uses.
  static void drain_stores() {
    static thread_local constinit std::atomic<std::uint32_t> mine{0};
    mine.exchange(0, std::memory_order_seq_cst);
  }

  History<Operation> history_;
};

struct Verdict {
  bool linearizable = false;
  std::string explanation;  // if not: the most operations that could be ordered, and what was left
  std::uint64_t overlapping = 0;  // operations that began while another ran
};

template <class Model>
class LinearizabilityChecker {
 public:
  using Operation = typename Model::Operation;
  using State = typename Model::State;

  static Verdict check(const History<Operation>& history) {
    return LinearizabilityChecker(history).run();
  }

 private:
  // Begins and ends of operations in the order of time, as a list from which an operation that was
  // put in order is lifted, and put back when the search returns. Event 0 is the list's head.
  struct Event {
    std::size_t operation = 0;
    bool begins = false;
    std::size_t other = 0;  // the end of a begin
    std::size_t previous = 0;
    std::size_t next = 0;
  };
  using Done = std::vector<std::uint64_t>;  // one bit per operation
  struct Reached {
    Done done;
    State state;
    bool operator==(const Reached&) const = default;
  };
  struct ReachedHash {
    std::size_t operator()(const Reached& reached) const {
      std::uint64_t hash = Model::fingerprint(reached.state);
      for (const std::uint64_t bits : reached.done) {
        hash = (hash ^ bits) * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
      }
      return hash;
    }
  };
  struct Choice {
    std::size_t event;
    State state_before;
  };

  explicit LinearizabilityChecker(const History<Operation>& history)
      : history_(history), done_((history.size() + 63) / 64), events_(1) {
    std::vector<std::pair<std::size_t, bool>> order;  // operation, begins
    for (std::size_t i = 0; i < history.size(); ++i) {
      order.emplace_back(i, true);
      order.emplace_back(i, false);
    }
    const auto time = [&](const auto& e) {
      return e.second ? history[e.first].begin : history[e.first].end;
    };
    std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      return time(a) != time(b) ? time(a) < time(b) : a.second > b.second;
    });
    std::vector<std::size_t> begin_of(history.size());
    for (const auto& [operation, begins] : order) {
      const std::size_t index = events_.size();
      events_.push_back({operation, begins, 0, index - 1, 0});
      events_[index - 1].next = index;
      if (begins) {
        begin_of[operation] = index;
      } else {
        events_[begin_of[operation]].other = index;
      }
    }
  }

  Verdict run() {
    const std::uint64_t overlapping = count_overlapping();
    const bool linearizable = search();
    return {linearizable, linearizable ? std::string() : explanation(), overlapping};
  }

  bool search() {
    State state = Model::initial();
    std::vector<Choice> choices;
    std::unordered_set<Reached, ReachedHash> given_up;
    std::size_t at = events_[0].next;
    while (events_[0].next != 0) {
      const Event& event = events_[at];
      if (!event.begins) {
        // An operation has ended that could not be put in order before: take a choice back.
        note_longest(choices.size(), event.operation);
        if (choices.empty()) return false;
        given_up.insert({done_, state});
        at = choices.back().event;
        state = std::move(choices.back().state_before);
        choices.pop_back();
        flip_done(events_[at].operation);
        put_back(at);
        at = events_[at].next;
        continue;
      }
      State next = state;
      if (Model::step(next, history_[event.operation].operation)) {
        flip_done(event.operation);
        if (given_up.empty() || !given_up.contains({done_, next})) {
          choices.push_back({at, std::exchange(state, std::move(next))});
          lift(at);
          at = events_[0].next;
          continue;
        }
        flip_done(event.operation);
      }
      at = event.next;
    }
    return true;
  }

  [[nodiscard]] std::uint64_t count_overlapping() const {
    std::uint64_t overlapping = 0;
    std::uint64_t running = 0;
    for (std::size_t at = events_[0].next; at != 0; at = events_[at].next) {
      if (events_[at].begins) {
        overlapping += running != 0 ? 1 : 0;
        ++running;
      } else {
        --running;
      }
    }
    return overlapping;
  }

  void flip_done(std::size_t operation) {
    done_[operation / 64] ^= std::uint64_t{1} << (operation % 64);
  }
  void lift(std::size_t begin) {
    unlink(begin);
    unlink(events_[begin].other);
  }
  void put_back(std::size_t begin) {
    relink(events_[begin].other);
    relink(begin);
  }
  void unlink(std::size_t e) {
    events_[events_[e].previous].next = events_[e].next;
    if (events_[e].next != 0) events_[events_[e].next].previous = events_[e].previous;
  }
  void relink(std::size_t e) {
    events_[events_[e].previous].next = e;
    if (events_[e].next != 0) events_[events_[e].next].previous = e;
  }

  void note_longest(std::size_t ordered, std::size_t stuck) {
    if (ordered < longest_ && longest_ != 0) return;
    longest_ = ordered;
    stuck_ = stuck;
  }
  [[nodiscard]] std::string explanation() const {
    constexpr std::size_t kBeforeMax = 8;
    std::string text = "no order explains the results; at most " + std::to_string(longest_) +
                       " of " + std::to_string(history_.size()) +
                       " operations can be ordered before " + describe(stuck_) +
                       "; it overlaps with";
    std::vector<std::size_t> before;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (i == stuck_ || history_[i].begin > history_[stuck_].end) continue;
      if (history_[i].end < history_[stuck_].begin) {
        before.push_back(i);
      } else {
        text += "\n  " + describe(i);
      }
    }
    std::sort(before.begin(), before.end(),
              [&](std::size_t a, std::size_t b) { return history_[a].end > history_[b].end; });
    if (before.size() > kBeforeMax) before.resize(kBeforeMax);
    text += "\nand before it ended, the latest first";
    for (const std::size_t i : before) text += "\n  " + describe(i);
    return text;
  }
  [[nodiscard]] std::string describe(std::size_t i) const {
    return Model::describe(history_[i].operation) + " [" + std::to_string(history_[i].begin) +
           ", " + std::to_string(history_[i].end) + "]";
  }

  const History<Operation>& history_;
  Done done_;
  std::vector<Event> events_;
  std::size_t longest_ = 0;
  std::size_t stuck_ = 0;
};

}  // namespace vigil::testing
