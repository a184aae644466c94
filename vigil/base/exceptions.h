// SPDX-License-Identifier: Apache-2.0
//
// Throwing and catching for headers that programs without exceptions (-fno-exceptions) include as
// well: there what would be thrown ends the program with its message, and nothing is caught.
//
// Use when: a public header of the library throws or catches. Use instead: throw and catch in a
// source file.
//
// Thread safety: pure functions.
//
// Example:
//   const std::exception_ptr thrown = vigil::exception_of([] { throw 17; });
//   assert(thrown != nullptr && vigil::exception_of([] {}) == nullptr);
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <utility>

#include "vigil/base/check.h"

namespace vigil {

[[noreturn, gnu::cold]] inline void throw_length_error(const char* what) {
#if defined(__cpp_exceptions)
  throw std::length_error(what);
#else
  internal::check_failed("length_error", __FILE__, __LINE__, what);
#endif
}

[[noreturn, gnu::cold]] inline void throw_bad_alloc() {
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  internal::check_failed("bad_alloc", __FILE__, __LINE__, "out of memory or of address space");
#endif
}

// What run() threw, or nothing.
template <class Run>
[[nodiscard]] std::exception_ptr exception_of(Run&& run) noexcept {
#if defined(__cpp_exceptions)
  try {
    std::forward<Run>(run)();
  } catch (...) {
    return std::current_exception();
  }
#else
  std::forward<Run>(run)();
#endif
  return nullptr;
}

}  // namespace vigil
