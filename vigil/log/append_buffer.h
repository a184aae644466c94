// SPDX-License-Identifier: Apache-2.0
//
// AppendBuffer: where the writers of all shards put their records, in one order, and one thread
// takes them.
//
// An append holds a spin lock for the little that must happen in order: take the position, continue
// the chain, name the place in memory. The copy of a record over 512 bytes is made without it, at
// the same time as others' copies; that of a smaller one takes less time than to say that it ended.
// take() swaps the batch, then waits for the copies that are under way into it, so that a batch is
// always whole: everything up to a position, nothing behind it.
//
//   writers      lock { position, chain, place, copy }
//                lock { position, chain, place, entered += 1 } -> copy -> left += 1
//   committer    lock { other batch } -> wait until left == entered -> write -> give_back()
//
// Memory: chunks of 256 KiB, in which a record lies in one piece and which belong to one segment
// each; a record over 32 KiB gets a chunk of its own, which is filled before the lock is taken.
// Spare chunks are kept, so that in general nothing is allocated under the lock: give_back() sees
// to two of them.
//
// Segments: a record that does not fit before the end of the segment is preceded by a `continued`
// record and goes to the next one. Positions between are never used.
//
// Thread safety: append(), append_group() and tail() from any thread; the rest from one.
//
// Memory order: `left` is released by the writer and acquired by take(): the committer sees the
// bytes. `tail` is released under the lock, so who reads a tail that covers a record also sees what
// its writer did before.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "vigil/base/spin_lock.h"
#include "vigil/log/record.h"

namespace vigil::log {

// Bytes of consecutive records of one segment.
struct Chunk {
  Chunk* next = nullptr;
  Position position = 0;  // of the first byte
  std::uint32_t used = 0;
  std::uint32_t capacity = 0;

  [[nodiscard]] char* bytes() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::string_view view() { return {bytes(), used}; }
};

struct Batch {
  Chunk* first = nullptr;
  Chunk* last = nullptr;
  Position end = 0;
  std::uint64_t records = 0;           // marks included
  std::uint64_t entered = 0;           // copies begun
  std::atomic<std::uint64_t> left{0};  // copies ended
};

class AppendBuffer {
 public:
  // The stream goes on at `tail`, in the segment from `first` to `end`.
  struct Start {
    ChainKey key;
    Position first = 0;
    Position end = 0;
    Position tail = 0;
    std::uint32_t chain = 0;
  };

  explicit AppendBuffer(const Start& start);
  ~AppendBuffer();
  AppendBuffer(const AppendBuffer&) = delete;
  AppendBuffer& operator=(const AppendBuffer&) = delete;

  void append(const EncodedRecord& record);
  // In one piece of the stream, and of a batch.
  void append_group(std::span<const EncodedRecord> records);

  [[nodiscard]] Position tail() const { return tail_.load(std::memory_order_acquire); }

  // ---- The committer's ----

  void append_mark(const Mark& mark);
  // All that was appended; nullptr if nothing was. REQUIRES: the batch before was given back.
  [[nodiscard]] Batch* take();
  void give_back(Batch* batch);

  [[nodiscard]] std::uint64_t memory_bytes() const {
    return memory_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t records() const { return records_.load(std::memory_order_relaxed); }

 private:
  struct Place {
    char* to = nullptr;
    std::uint32_t chain = 0;
  };

  void append_in_order(const EncodedRecord& record);
  [[nodiscard]] Place reserve(const EncodedRecord& record, Chunk* own) VIGIL_REQUIRES(lock_);
  void continue_in_next_segment() VIGIL_REQUIRES(lock_);
  [[nodiscard]] char* room_for(std::size_t bytes) VIGIL_REQUIRES(lock_);
  void link(Chunk* chunk) VIGIL_REQUIRES(lock_);
  [[nodiscard]] Chunk* spare_chunk() VIGIL_REQUIRES(lock_);
  [[nodiscard]] Chunk* new_chunk(std::size_t capacity);
  void free_chunk(Chunk* chunk);
  void keep_spares();

  std::array<Batch, 2> batches_;
  const ChainKey key_;
  const std::uint64_t segment_span_;  // positions of a segment

  alignas(64) SpinLock lock_;
  std::uint32_t chain_ VIGIL_GUARDED_BY(lock_);
  Batch* active_ VIGIL_GUARDED_BY(lock_);
  Position next_ VIGIL_GUARDED_BY(lock_);  // what tail_ says
  Position segment_first_ VIGIL_GUARDED_BY(lock_);
  Position segment_end_ VIGIL_GUARDED_BY(lock_);
  Chunk* spares_ VIGIL_GUARDED_BY(lock_) = nullptr;
  std::uint32_t spare_count_ VIGIL_GUARDED_BY(lock_) = 0;

  alignas(64) std::atomic<Position> tail_;
  std::atomic<std::uint64_t> records_{0};
  alignas(64) std::atomic<std::uint64_t> memory_bytes_{0};
};

}  // namespace vigil::log
