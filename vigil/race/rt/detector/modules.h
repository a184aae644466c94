// SPDX-License-Identifier: Apache-2.0
//
// The executable and the libraries of the process, from the kernel's list of mappings: asking the
// loader would take its lock.
//
// Thread safety: none; the caller holds the records' lock. Context: interceptor, signal.
#pragma once

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

struct Module {
  Address begin;
  Address end;
  Address bias;  // address in memory = address in the file + bias
  char path[1000];
};

// The module that the address is in, of those found so far; or null.
const Module* find_module(Address address);

// Looks at the mappings again; calls added() for each module that was not known.
void find_new_modules(void (*added)(const Module& module));

void forget_modules();

}  // namespace vigil::race
