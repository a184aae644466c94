// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/c_library.h"

#include <elf.h>

#include <algorithm>

#include "vigil/race/rt/raw/memory.h"

namespace vigil::race {
namespace {

struct Range {
  Address begin;
  Address size;
};

struct State {
  Range library;
  Range loader;
  Range openmp;
};
constinit State state = {};

bool begins_file(Address page) {
  const auto* magic = reinterpret_cast<const unsigned char*>(page);
  return magic[EI_MAG0] == ELFMAG0 && magic[EI_MAG1] == ELFMAG1 && magic[EI_MAG2] == ELFMAG2 &&
         magic[EI_MAG3] == ELFMAG3;
}

// The file that is mapped around the address: its first page lies below, without a gap.
Range file_around(Address address) {
  Address begin = address / kPage * kPage;
  while (!begins_file(begin)) begin -= kPage;
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(begin);
  const auto* segment = reinterpret_cast<const Elf64_Phdr*>(begin + header->e_phoff);
  Address size = 0;
  for (int index = 0; index < header->e_phnum; ++index, ++segment) {
    if (segment->p_type == PT_LOAD) size = std::max(size, segment->p_vaddr + segment->p_memsz);
  }
  return {begin, size};
}

bool contains(const Range& range, Address address) { return address - range.begin < range.size; }

}  // namespace

void c_library_init(Address in_library, Address in_loader) {
  state.library = file_around(in_library);
  state.loader = file_around(in_loader);
}

void openmp_library_loaded(Address in_library) {
  if (__atomic_load_n(&state.openmp.size, __ATOMIC_RELAXED) != 0) return;
  const Range file = file_around(in_library);
  __atomic_store_n(&state.openmp.begin, file.begin, __ATOMIC_RELAXED);
  __atomic_store_n(&state.openmp.size, file.size, __ATOMIC_RELEASE);
}

bool called_by_c_library(Address pc) {
  const Address openmp_size = __atomic_load_n(&state.openmp.size, __ATOMIC_ACQUIRE);
  const Range openmp = {__atomic_load_n(&state.openmp.begin, __ATOMIC_RELAXED), openmp_size};
  return contains(state.library, pc) || contains(state.loader, pc) || contains(openmp, pc);
}

}  // namespace vigil::race
