// SPDX-License-Identifier: Apache-2.0
//
// run_guarded(): runs code that may read what cannot be read (a damaged stack, a file that shrinks
// under its mapping); a SIGSEGV or SIGBUS ends that code instead of the program.
//
// Either a handler of the program's calls escape_fault() first (vigil/thread_dump does), or
// ensure_fault_guard() installs one that does nothing else: outside run_guarded() it puts the
// action that was there before back and lets the fault happen again.
//
// Use when: memory of unknown state must be read in the own process. Use instead: checks, wherever
// they can be written.
//
// Context: signal, except ensure_fault_guard().
// Thread safety: any thread; guards nest.
#pragma once

namespace vigil::stacks {

// Runs function(argument); false if it met SIGSEGV or SIGBUS. Objects of `function` that were alive
// then are not destroyed.
bool run_guarded(void (*function)(void*), void* argument);

// For handlers of SIGSEGV and SIGBUS: does not return if the thread is inside run_guarded().
void escape_fault();

// From here on run_guarded() holds, without or with a handler of the program's.
void ensure_fault_guard();

// Says that a handler that calls escape_fault() is installed.
void fault_guard_is_installed();

}  // namespace vigil::stacks
