// SPDX-License-Identifier: Apache-2.0
//
// A cell: one past access to (part of) eight aligned bytes of memory, in 64 bits.
//
//   63       56 55 54      46 45             26 25     24    23          0
//   +----------+--+----------+-----------------+------+----+--------------+
//   |  bytes   |F |   slot   |      epoch      |atomic|read|    stack     |
//   +----------+--+----------+-----------------+------+----+--------------+
//
//   bytes   which of the eight were touched
//   F       freed: the bytes belong to a block that this access gave back
//   slot    whose clock component dates the access (vector_clock.h)
//   epoch   its value then; never 0, so that 0 is the empty cell
//   atomic  conflicts with plain accesses only
//   read    conflicts with writes only
//   stack   where, in the stack tree (stack_tree.h)
//
// The stack lies in the same word as the access, so that a cell read while another thread writes it
// is never a mixture of two accesses. Its place at the low end makes "the same access, from
// anywhere" one xor and one shift; `read` and `atomic` come next, so that the weaker question "the
// same access or a stronger one" is the same with a longer shift.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>

namespace vigil::race {

using Cell = std::uint64_t;
using Epoch = std::uint32_t;
using Slot = std::uint32_t;

inline constexpr unsigned kStackBits = 24;
inline constexpr unsigned kEpochBits = 20;
inline constexpr unsigned kSlotBits = 9;

inline constexpr unsigned kReadShift = kStackBits;
inline constexpr unsigned kAtomicShift = kReadShift + 1;
inline constexpr unsigned kEpochShift = kAtomicShift + 1;
inline constexpr unsigned kSlotShift = kEpochShift + kEpochBits;
inline constexpr unsigned kFreedShift = kSlotShift + kSlotBits;
inline constexpr unsigned kBytesShift = 56;
static_assert(kFreedShift + 1 == kBytesShift);

inline constexpr Cell kReadCell = Cell{1} << kReadShift;
inline constexpr Cell kAtomicCell = Cell{1} << kAtomicShift;
inline constexpr Cell kFreedCell = Cell{1} << kFreedShift;
inline constexpr Cell kStackMask = (Cell{1} << kStackBits) - 1;
inline constexpr Cell kAllBytes = Cell{0xff} << kBytesShift;

inline constexpr Slot kSlots = Slot{1} << kSlotBits;
inline constexpr Epoch kEpochMax = (Epoch{1} << kEpochBits) - 1;

// A moment of one slot: the cell's slot and epoch side by side. 0 is no moment.
using Moment = std::uint32_t;

constexpr Moment moment(Slot slot, Epoch epoch) { return slot << kEpochBits | epoch; }
constexpr Slot slot_of_moment(Moment at) { return at >> kEpochBits; }
constexpr Epoch epoch_of_moment(Moment at) { return at & kEpochMax; }

// What all accesses of a thread have in common until its next release.
constexpr Cell cell_base(Slot slot, Epoch epoch) {
  return Cell{slot} << kSlotShift | Cell{epoch} << kEpochShift;
}

// The bytes [offset, offset + size) of the eight; the part beyond them is cut off.
constexpr Cell cell_bytes(unsigned offset, unsigned size) {
  return ((Cell{1} << size) - 1) << (kBytesShift + offset);
}
static_assert(cell_bytes(0, 8) == kAllBytes && cell_bytes(6, 2) == Cell{0xc0} << kBytesShift);

constexpr Moment moment_of(Cell cell) {
  return static_cast<Moment>(cell >> kEpochShift) & ((Moment{1} << (kSlotBits + kEpochBits)) - 1);
}
constexpr Slot slot_of(Cell cell) { return slot_of_moment(moment_of(cell)); }
constexpr Epoch epoch_of(Cell cell) { return epoch_of_moment(moment_of(cell)); }
constexpr std::uint32_t stack_of(Cell cell) {
  return static_cast<std::uint32_t>(cell & kStackMask);
}
constexpr std::uint8_t bytes_of(Cell cell) {
  return static_cast<std::uint8_t>(cell >> kBytesShift);
}
constexpr bool is_read(Cell cell) { return (cell & kReadCell) != 0; }
constexpr bool is_atomic(Cell cell) { return (cell & kAtomicCell) != 0; }
constexpr bool is_freed(Cell cell) { return (cell & kFreedCell) != 0; }

constexpr bool overlap(Cell a, Cell b) { return ((a & b) >> kBytesShift) != 0; }

// Whether two accesses of different threads without order are a race: not two reads, not two
// atomics.
constexpr bool conflict(Cell a, Cell b) { return (a & b & (kReadCell | kAtomicCell)) == 0; }

// Whether every access that would race with `weak` races with `strong`, too, as far as the kind of
// access is concerned.
constexpr bool as_strong(Cell strong, Cell weak) {
  return (strong & ~weak & (kReadCell | kAtomicCell)) == 0;
}

}  // namespace vigil::race
