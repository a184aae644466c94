// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/raw/memory.h"

#include <sys/mman.h>

#include <algorithm>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;
// Smaller ranges are cleared by writing: giving the pages back costs a fault for each of them when
// they are used again.
constexpr std::size_t kDropMin = 256 * kPage;

// The chunk that allocate_forever() cuts its pieces from.
struct State {
  SpinLock lock;
  char* begin = nullptr;
  std::size_t left = 0;
};
constinit State state;

std::uintptr_t round_up(std::uintptr_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

void fail(const char* sentence) {
  raw_syscall(SYS_write, 2, "vigil race: ", 12);
  raw_syscall(SYS_write, 2, sentence, raw_length(sentence));
  raw_syscall(SYS_write, 2, "\n", 1);
  raw_syscall(SYS_exit_group, 3);
  __builtin_unreachable();
}

void* map_reserved(std::size_t size, std::uintptr_t address) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (address != 0) flags |= MAP_FIXED_NOREPLACE;
  const long result = raw_syscall(SYS_mmap, address, size, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (result < 0 && result > -4096) fail("cannot reserve address space for the race runtime");
  // Huge pages would back a whole 2 MiB of shadow for one touched word; a core needs none of it.
  raw_syscall(SYS_madvise, result, size, MADV_NOHUGEPAGE);
  raw_syscall(SYS_madvise, result, size, MADV_DONTDUMP);
  return reinterpret_cast<void*>(result);
}

void drop_pages(std::uintptr_t begin, std::size_t size) {
  raw_syscall(SYS_madvise, begin, size, MADV_DONTNEED);
}

void clear_memory(std::uintptr_t begin, std::size_t size) {
  if (size < kDropMin) {
    raw_fill(reinterpret_cast<void*>(begin), 0, size);
    return;
  }
  const std::uintptr_t first = round_up(begin, kPage);
  const std::uintptr_t last = (begin + size) / kPage * kPage;
  raw_fill(reinterpret_cast<void*>(begin), 0, first - begin);
  drop_pages(first, last - first);
  raw_fill(reinterpret_cast<void*>(last), 0, begin + size - last);
}

void* allocate_forever(std::size_t size) {
  size = round_up(size, 16);
  const SpinGuard guard(state.lock);
  if (state.left < size) {
    state.left = std::max(kChunk, round_up(size, kPage));
    state.begin = static_cast<char*>(map_reserved(state.left));
  }
  void* const result = state.begin;
  state.begin += size;
  state.left -= size;
  return result;
}

}  // namespace vigil::race
