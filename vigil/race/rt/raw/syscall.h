// SPDX-License-Identifier: Apache-2.0
//
// System calls without libc: the runtime must not call what it intercepts itself, and must leave
// `errno` alone.
//
// Context: signal, interceptor, init.
#pragma once

#include <sys/syscall.h>

#include <cstdint>

namespace vigil::race {

// The kernel's answer: a result, or -errno.
template <class... Arguments>
inline long raw_syscall(long number, Arguments... arguments) {
  static_assert(sizeof...(Arguments) <= 6);
  const long values[7] = {(long)arguments...};  // NOLINT: pointers and integers alike
  long result = 0;
  register long fourth asm("r10") = values[3];
  register long fifth asm("r8") = values[4];
  register long sixth asm("r9") = values[5];
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(values[0]), "S"(values[1]), "d"(values[2]), "r"(fourth),
                 "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
}

}  // namespace vigil::race
