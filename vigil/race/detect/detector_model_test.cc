// SPDX-License-Identifier: Apache-2.0
//
// Random programs of a few threads, mutexes and bytes, run by the real cells and clocks and by a
// naive model that remembers every access to every byte with a full copy of its thread's clock.
// With the evicted cells kept, as in controlled mode, both must find a race at the same accesses.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>
#include <vector>

#include "vigil/race/detect/evicted_cells.h"
#include "vigil/race/detect/shadow_word.h"
#include "vigil/race/detect/sync_clock.h"

namespace vigil::race {
namespace {

constexpr Slot kThreads = 6;
constexpr std::size_t kWords = 3;
constexpr std::size_t kSyncs = 3;

struct Step {
  enum class Kind { kAccess, kAcquire, kReleaseStore, kReleaseMerge };
  Kind kind;
  Slot thread;
  std::size_t object;  // word or sync
  unsigned offset;
  unsigned size;
  Cell flags;
};

Step random_step(std::mt19937_64& random) {
  const auto draw = [&random](std::uint64_t bound) {
    return static_cast<unsigned>(random() % bound);
  };
  Step step{};
  step.thread = draw(kThreads);
  const unsigned kind = draw(10);
  step.kind = kind < 7   ? Step::Kind::kAccess
              : kind < 8 ? Step::Kind::kAcquire
              : kind < 9 ? Step::Kind::kReleaseStore
                         : Step::Kind::kReleaseMerge;
  step.object = draw(step.kind == Step::Kind::kAccess ? kWords : kSyncs);
  step.offset = draw(8);
  step.size = 1 + draw(8 - step.offset);
  step.flags = (draw(2) != 0 ? kReadCell : 0) | (draw(4) == 0 ? kAtomicCell : 0);
  return step;
}

// Happens-before as the definition has it.
class NaiveDetector {
 public:
  NaiveDetector() {
    for (Slot thread = 0; thread < kThreads; ++thread) clocks_[thread][thread] = 1;
  }

  bool run(const Step& step) {
    std::vector<Epoch>& clock = clocks_[step.thread];
    switch (step.kind) {
      case Step::Kind::kAccess:
        return access(step);
      case Step::Kind::kAcquire:
        join(clock, syncs_[step.object]);
        return false;
      case Step::Kind::kReleaseStore:
        syncs_[step.object] = clock;
        break;
      case Step::Kind::kReleaseMerge:
        join(syncs_[step.object], clock);
        break;
    }
    ++clock[step.thread];
    return false;
  }

 private:
  struct Past {
    Slot thread;
    Epoch epoch;
    Cell flags;
  };

  static void join(std::vector<Epoch>& into, const std::vector<Epoch>& from) {
    for (Slot slot = 0; slot < kThreads; ++slot) into[slot] = std::max(into[slot], from[slot]);
  }

  bool access(const Step& step) {
    bool found = false;
    for (unsigned byte = step.offset; byte < step.offset + step.size; ++byte) {
      auto& history = histories_[step.object * 8 + byte];
      for (const Past& past : history) {
        const bool ordered =
            past.thread == step.thread || clocks_[step.thread][past.thread] >= past.epoch;
        found |= !ordered && conflict(past.flags, step.flags);
      }
      history.push_back({step.thread, clocks_[step.thread][step.thread], step.flags});
    }
    return found;
  }

  std::vector<Epoch> clocks_[kThreads] = {
      std::vector<Epoch>(kThreads), std::vector<Epoch>(kThreads), std::vector<Epoch>(kThreads),
      std::vector<Epoch>(kThreads), std::vector<Epoch>(kThreads), std::vector<Epoch>(kThreads)};
  std::vector<Epoch> syncs_[kSyncs] = {std::vector<Epoch>(kThreads), std::vector<Epoch>(kThreads),
                                       std::vector<Epoch>(kThreads)};
  std::vector<Past> histories_[kWords * 8];
};

void* allocate_for_test(std::size_t size) {
  static std::deque<std::vector<std::uint64_t>> blocks;
  return blocks.emplace_back((size + 7) / 8).data();
}

class RealDetector {
 public:
  RealDetector() : entries_(4096) {
    pool_.init(allocate_for_test);
    evicted_.init(entries_.data(), 4096, heads_, 8);
    for (Slot thread = 0; thread < kThreads; ++thread) clocks_[thread].set(thread, 1);
  }

  bool run(const Step& step) {
    VectorClock& clock = clocks_[step.thread];
    const Moment now = moment(step.thread, clock.epoch(step.thread));
    switch (step.kind) {
      case Step::Kind::kAccess:
        return access(step, clock);
      case Step::Kind::kAcquire:
        syncs_[step.object].acquire(clock);
        return false;
      case Step::Kind::kReleaseStore:
        syncs_[step.object].release_store(clock, now, pool_);
        break;
      case Step::Kind::kReleaseMerge:
        syncs_[step.object].release_merge(clock, now, pool_);
        break;
    }
    clock.set(step.thread, clock.epoch(step.thread) + 1);
    return false;
  }

  std::uint64_t forgotten() const { return evicted_.forgotten(); }

 private:
  bool access(const Step& step, const VectorClock& clock) {
    const Cell cell = cell_base(step.thread, clock.epoch(step.thread)) |
                      cell_bytes(step.offset, step.size) | step.flags;
    const std::uintptr_t address = step.object * 8;
    bool found = false;
    const auto on_found = [&found](Cell) { found = true; };
    ShadowWord& word = words_[step.object];
    record(
        word, cell, clock, lane_++, [] { return Cell{1}; }, on_found,
        [&](Cell old) { evicted_.add(address, old); });
    evicted_.check(address, cell, clock, on_found);
    return found;
  }

  std::vector<EvictedCells::Entry> entries_;
  std::uint32_t heads_[256] = {};
  EvictedCells evicted_;
  ClockPool pool_;
  VectorClock clocks_[kThreads];
  SyncClock syncs_[kSyncs];
  ShadowWord words_[kWords] = {};
  unsigned lane_ = 0;
};

std::uint64_t base_seed() {
  const char* const text = std::getenv("VIGIL_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
}

// A thread's access that repeats one of this epoch is not looked at again, in either detector's
// sense: what it could find was found then, or is found by the other side. The detectors therefore
// agree on which *words* race, and on the first racing step of each.
TEST(DetectorModelTest, FindsTheFirstRaceOfEachWordWhereTheDefinitionDoes) {
  constexpr int kPrograms = 3000;
  constexpr int kSteps = 80;
  const std::uint64_t first_seed = base_seed();
  std::cout << "VIGIL_SEED=" << first_seed << '\n';
  int races = 0;
  for (int program = 0; program < kPrograms; ++program) {
    std::mt19937_64 random(first_seed + static_cast<std::uint64_t>(program));
    NaiveDetector naive;
    RealDetector real;
    bool raced[kWords] = {};
    for (int number = 0; number < kSteps; ++number) {
      const Step step = random_step(random);
      const bool expected = naive.run(step);
      const bool found = real.run(step);
      if (step.kind != Step::Kind::kAccess || raced[step.object]) continue;
      ASSERT_EQ(found, expected) << "program " << program << " step " << number;
      if (!expected) continue;
      raced[step.object] = true;
      ++races;
    }
    ASSERT_EQ(real.forgotten(), 0U);
  }
  EXPECT_GT(races, kPrograms);
}

}  // namespace
}  // namespace vigil::race
