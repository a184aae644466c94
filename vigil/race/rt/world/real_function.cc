// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/real_function.h"

#include <dlfcn.h>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {

void* find_real_function(const char* name, const char* version, const char* library) {
  const IgnoreScope ignore;
  void* found = version == nullptr ? dlsym(RTLD_NEXT, name) : dlvsym(RTLD_NEXT, name, version);
  if (found == nullptr && library != nullptr) {
    void* const loaded = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    if (loaded != nullptr) found = dlsym(loaded, name);
  }
  if (found == nullptr) {
    raw_syscall(SYS_write, 2, name, raw_length(name));
    fail(": vigil finds no such function in the program's libraries");
  }
  return found;
}

}  // namespace vigil::race
