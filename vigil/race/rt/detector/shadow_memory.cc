// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/shadow_memory.h"

#include "vigil/race/rt/raw/memory.h"

namespace vigil::race {

void map_shadow_memory() {
  map_reserved(kSyncShadowSize, kSyncShadow);
  map_reserved(kWordShadowSize, kWordShadow);
}

void forget_all_accesses() { drop_pages(kWordShadow, kWordShadowSize); }

}  // namespace vigil::race
