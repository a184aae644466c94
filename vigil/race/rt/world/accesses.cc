// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/accesses.h"

#include "vigil/race/rt/detector/shadow.h"
#include "vigil/race/rt/world/conflict_places.h"
#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {
namespace {

// REQUIRES: points_at_memory(). Inline: the scheduler takes its caller for the innermost frame, and
// single accesses and ranges stay two places.
[[gnu::always_inline]] inline void memory_point(Cell access, Address address, Address pc) {
  if (!is_recording(thread_self) || !is_memory_point(pc)) return;
  const IgnoreScope ignore;
  scheduling_point(is_read(access) ? PointKind::kMemoryRead : PointKind::kMemoryWrite,
                   reinterpret_cast<void*>(address));
}

// Apart, so that the functions below need no frame where accesses are no points.
[[gnu::noinline]] void access_at_point(ShadowWord* word, Cell access, Address address, Address pc) {
  memory_point(access, address, pc);
  record_access(word, access, address, pc);
}
[[gnu::noinline]] void range_at_point(Address address, std::size_t size, Cell flags, Address pc) {
  if (size != 0) memory_point(flags, address, pc);
  record_range(address, size, flags, pc);
}

}  // namespace

void access_slow_path(ShadowWord* word, Cell access, Address address, Address pc) {
  if (__builtin_expect(points_at_memory(), 0)) return access_at_point(word, access, address, pc);
  record_access(word, access, address, pc);
}

void access_range(Address address, std::size_t size, Cell flags, Address pc) {
  if (__builtin_expect(points_at_memory(), 0)) return range_at_point(address, size, flags, pc);
  record_range(address, size, flags, pc);
}

void read_range(const volatile void* address, std::size_t size, Address pc) {
  access_range(reinterpret_cast<Address>(address), size, kReadCell, pc);
}
void write_range(const volatile void* address, std::size_t size, Address pc) {
  access_range(reinterpret_cast<Address>(address), size, 0, pc);
}
void atomic_read(const volatile void* address, std::size_t size, Address pc) {
  access_range(reinterpret_cast<Address>(address), size, kReadCell | kAtomicCell, pc);
}
void atomic_write(const volatile void* address, std::size_t size, Address pc) {
  access_range(reinterpret_cast<Address>(address), size, kAtomicCell, pc);
}

}  // namespace vigil::race
