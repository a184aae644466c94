// SPDX-License-Identifier: Apache-2.0
//
// require: what these programs say instead of assert, so that a broken invariant ends the program
// in every build type.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void require(bool holds, const char* otherwise) {
  if (holds) return;
  std::fputs(otherwise, stderr);
  std::fputs("\n", stderr);
  std::abort();
}
