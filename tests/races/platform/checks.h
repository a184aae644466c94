// SPDX-License-Identifier: Apache-2.0
//
// The frame of the programs in this folder: a table of checks, each run in a process of its own.
//
//   int main(int argc, char** argv) { return run_checks(argc, argv, kChecks); }
//
// Without an argument the program lists the names of its checks; with one it runs that check.
// Exit code: 0 as expected, 1 not so, 2 no such check.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>

#define EXPECT(condition)                                                  \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition); \
      std::_Exit(1);                                                       \
    }                                                                      \
  } while (false)

struct Check {
  const char* name;
  void (*run)();
};

#define CHECK(name) \
  Check { #name, name }

template <std::size_t kCount>
int run_checks(int argc, char** argv, const Check (&checks)[kCount]) {
  for (const Check& check : checks) {
    if (argc < 2) {
      std::puts(check.name);
    } else if (std::strcmp(argv[1], check.name) == 0) {
      check.run();
      return 0;
    }
  }
  return argc < 2 ? 0 : 2;
}
