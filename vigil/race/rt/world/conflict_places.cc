// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/conflict_places.h"

#include <fcntl.h>

#include <algorithm>
#include <cstddef>

#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {
namespace {

constexpr std::size_t kBytesMax = 1 << 20;
constexpr std::size_t kPlacesMax = kBytesMax / 2;

struct State {
  bool is_read;
  std::uintptr_t* places;
  std::size_t place_count;
};
constinit State state = {};

// Decimal numbers separated by any non-digit.
void parse(const char* text, std::size_t size) {
  std::uintptr_t number = 0;
  for (std::size_t i = 0; i < size && state.place_count < kPlacesMax; ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      number = number * 10 + static_cast<std::uintptr_t>(text[i] - '0');
    } else if (number != 0) {
      state.places[state.place_count++] = number;
      number = 0;
    }
  }
}

void read_places() {
  state.is_read = true;
  const char* const path = options().conflicts;
  if (path[0] == 0) return;
  const long file = raw_syscall(SYS_open, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char* const text = map_array<char>(kBytesMax);
  state.places = map_array<std::uintptr_t>(kPlacesMax);
  std::size_t size = 0;
  long got = 0;
  while (size < kBytesMax &&
         (got = raw_syscall(SYS_read, file, text + size, kBytesMax - size)) > 0) {
    size += static_cast<std::size_t>(got);
  }
  raw_syscall(SYS_close, file);
  parse(text, size);
}

}  // namespace

bool is_memory_point(std::uintptr_t pc) {
  if (options().points == Points::kMemory) return true;
  if (!state.is_read) read_places();
  return std::binary_search(state.places, state.places + state.place_count, pc);
}

}  // namespace vigil::race
