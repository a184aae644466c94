// SPDX-License-Identifier: Apache-2.0
//
// Uses one thing of each installed module, so that headers, libraries and their dependencies are
// all found through find_package(vigil).
#include <vigil/base/hash.h>

#include <cstdio>

int main() {
  const auto algorithm = vigil::parse_hash_algorithm("md5-8");
  if (!algorithm || vigil::stable_hash(*algorithm, "a") != 0x0cc175b9c0f1b6a8) return 1;
  std::puts("consumer: ok");
  return 0;
}
