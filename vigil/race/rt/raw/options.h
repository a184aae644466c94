// SPDX-License-Identifier: Apache-2.0
//
// The runtime's options: the environment variable VIGIL_RACE_OPTIONS, "key=value key=value". One
// table in options.cc names them all; an unknown key or a bad value ends the program at start-up
// with exit code 2 and a sentence that says so.
//
// Of ThreadSanitizer's variable TSAN_OPTIONS the keys exitcode, halt_on_error, suppressions and
// log_path mean here what they mean there, unless VIGIL_RACE_OPTIONS says otherwise; the others are
// ignored, and ignored_tsan_options() names them.
//
// Thread safety: read once at start-up, constant afterwards.
#pragma once

#include <cstdint>

namespace vigil::race {

enum class Mode : std::uint8_t { kFree, kControlled };
enum class Points : std::uint8_t { kSync, kMemory, kConflicts };
enum class TimeMode : std::uint8_t { kVirtual, kReal };
enum class LockOrder : std::uint8_t { kByMode, kOff, kOn };

struct Options {
  Mode mode = Mode::kFree;
  std::uint64_t seed = 1;
  char strategy[24] = "portfolio";
  std::uint32_t depth = 3;  // bug depth of PCT
  Points points = Points::kSync;
  TimeMode time = TimeMode::kVirtual;
  char out[1024] = "";        // record file; empty: a text report on standard error
  char decisions[1024] = "";  // recipe to replay
  char conflicts[1024] = "";  // program points where points=conflicts may switch
  bool events = false;
  bool locks = true;  // misuse of locks is a finding
  // And so is their order; by default in free mode only: controlled mode looks for the deadlock.
  LockOrder lock_order = LockOrder::kByMode;
  std::uint64_t max_points = 20'000'000;  // scheduling points at which a run ends
  std::uint32_t exit_code = 66;           // of the program when there are findings
  std::uint32_t processor = ~0U;  // controlled: the one that all threads run on; ~0: not chosen
  char tool[1024] = "";           // vigil, to name findings with; empty: none
  char log[1024] = "";            // where they go, with the process's number; empty: standard error
  char suppressions[1024] = "";   // file of TSAN_OPTIONS
  bool halt = false;              // end the program at the first finding
};

// Context: init and later.
const Options& options();

// The keys of TSAN_OPTIONS that mean nothing here, separated by spaces.
const char* ignored_tsan_options();

// Reads the environment; idempotent. Context: init, before any thread.
void read_options();

}  // namespace vigil::race
