// SPDX-License-Identifier: Apache-2.0
//
// A plug-in with a copy of the library of its own, none of whose names the program sees.
#include <vigil/maps/sharded_map.h>

#include <string>

extern "C" __attribute__((visibility("default"))) void replace_texts(
    vigil::ShardedMap<std::string, std::string>* texts, int times) {
  for (int n = 0; n < times; ++n) texts->insert_or_assign("shared", std::string(40, 'x'));
}
