// SPDX-License-Identifier: Apache-2.0
//
// What is found is told here: once per pair of places, to the record file or, without one, as text
// to standard error.
//
// Thread safety: all functions. Context: interceptor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/detect/cell.h"
#include "vigil/race/rt/detector.h"
#include "vigil/race/rt/threads.h"

namespace vigil::race {

struct Access {
  std::uint32_t thread;
  Cell cell;        // the kind of the access and its bytes
  Address address;  // of the word
  StackId stack;
};

// `current` met `old`: a race, or (`ordered`) a use after free.
void report_memory_finding(const Thread& thread, const Access& current, Cell old, bool ordered);

// free() of what is not a block in use.
void report_bad_free(Address address, Address pc);

// What is known of a finding, for both ways of telling it.
struct Found {
  static constexpr std::size_t kAccesses = 2;
  static constexpr std::size_t kWaiters = 64;

  std::uint8_t kind = 0;  // report::Kind
  int signal = 0;
  Address address = 0;
  std::size_t access_count = 0;
  report::AccessRecord accesses[kAccesses] = {};
  bool has_location = false;
  report::LocationRecord location = {};
  std::size_t waiter_count = 0;
  report::WaiterRecord waiters[kWaiters] = {};
  const Thread* locks_of = nullptr;  // whose held locks are told
};

// Writes it as text to standard error. Context: interceptor, signal.
void print_finding(const Found& found);

}  // namespace vigil::race
