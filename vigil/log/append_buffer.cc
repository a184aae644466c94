// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/append_buffer.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "vigil/base/check.h"

namespace vigil::log {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
constexpr std::size_t kCopiedInOrderBytesMax = 512;
constexpr std::size_t kSmallRecordBytesMax = std::size_t{32} << 10;
constexpr std::uint32_t kSparesMin = 2;
constexpr std::uint32_t kSparesMax = 64;

}  // namespace

AppendBuffer::AppendBuffer(const Start& start)
    : key_(start.key),
      segment_span_(start.end - start.first),
      chain_(start.chain),
      active_(batches_.data()),
      next_(start.tail),
      segment_first_(start.first),
      segment_end_(start.end),
      tail_(start.tail) {
  keep_spares();
}

AppendBuffer::~AppendBuffer() {
  const SpinGuard guard(lock_);
  for (Chunk* list : {batches_[0].first, batches_[1].first, spares_}) {
    while (list != nullptr) free_chunk(std::exchange(list, list->next));
  }
}

// ---- Chunks ----

Chunk* AppendBuffer::new_chunk(std::size_t capacity) {
  auto* chunk = new (::operator new(sizeof(Chunk) + capacity)) Chunk;
  chunk->capacity = static_cast<std::uint32_t>(capacity);
  memory_bytes_.fetch_add(capacity, std::memory_order_relaxed);
  return chunk;
}

void AppendBuffer::free_chunk(Chunk* chunk) {
  memory_bytes_.fetch_sub(chunk->capacity, std::memory_order_relaxed);
  chunk->~Chunk();
  ::operator delete(chunk);
}

Chunk* AppendBuffer::spare_chunk() {
  if (spares_ == nullptr) [[unlikely]]
    return new_chunk(kChunkBytes);
  --spare_count_;
  return std::exchange(spares_, spares_->next);
}

void AppendBuffer::link(Chunk* chunk) {
  chunk->next = nullptr;
  chunk->position = next_;
  if (active_->last == nullptr) {
    active_->first = chunk;
  } else {
    active_->last->next = chunk;
  }
  active_->last = chunk;
}

char* AppendBuffer::room_for(std::size_t bytes) {
  Chunk* chunk = active_->last;
  // The next record of a chunk is the next of the stream, except across segments.
  if (chunk == nullptr || chunk->capacity - chunk->used < bytes || chunk->position < segment_first_)
      [[unlikely]] {
    chunk = spare_chunk();
    chunk->used = 0;
    link(chunk);
  }
  char* const to = chunk->bytes() + chunk->used;
  chunk->used += static_cast<std::uint32_t>(bytes);
  return to;
}

// ---- Appending ----

void AppendBuffer::continue_in_next_segment() {
  const EncodedRecord continued = encode_continued();
  const std::uint32_t chain = key_.link(chain_, continued.body_crc(), next_);
  continued.copy_to(room_for(continued.bytes()), chain);
  segment_first_ = segment_end_;
  segment_end_ += segment_span_;
  next_ = segment_first_;
  chain_ = key_.seed(segment_first_);
}

AppendBuffer::Place AppendBuffer::reserve(const EncodedRecord& record, Chunk* own) {
  const std::size_t bytes = record.bytes();
  if (next_ + bytes + kContinuedBytes > segment_end_) [[unlikely]] {
    continue_in_next_segment();
    VIGIL_CHECK(next_ + bytes + kContinuedBytes <= segment_end_, "a segment holds every record");
  }
  Place place;
  chain_ = place.chain = key_.link(chain_, record.body_crc(), next_);
  if (own != nullptr) {
    link(own);
    place.to = own->bytes();
  } else {
    place.to = room_for(bytes);
  }
  next_ += bytes;
  ++active_->records;
  active_->end = next_;
  return place;
}

void AppendBuffer::append(const EncodedRecord& record) {
  if (record.bytes() <= kCopiedInOrderBytesMax) [[likely]]
    return append_in_order(record);
  Chunk* own = nullptr;
  if (record.bytes() > kSmallRecordBytesMax) {
    own = new_chunk(record.bytes());
    own->used = own->capacity;
    record.copy_to(own->bytes(), 0);
  }
  lock_.lock();
  const Place place = reserve(record, own);
  Batch* const batch = active_;
  ++batch->entered;
  tail_.store(next_, std::memory_order_release);
  lock_.unlock();
  if (own != nullptr) {
    store_chain(place.to, place.chain);
  } else {
    record.copy_to(place.to, place.chain);
  }
  batch->left.fetch_add(1, std::memory_order_release);  // pairs with the acquire in take()
}

void AppendBuffer::append_in_order(const EncodedRecord& record) {
  const SpinGuard guard(lock_);
  const Place place = reserve(record, nullptr);
  record.copy_to(place.to, place.chain);
  tail_.store(next_, std::memory_order_release);
}

void AppendBuffer::append_group(std::span<const EncodedRecord> records) {
  std::vector<Chunk*> own(records.size(), nullptr);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].bytes() <= kSmallRecordBytesMax) continue;
    own[i] = new_chunk(records[i].bytes());
    own[i]->used = own[i]->capacity;
  }
  std::vector<Place> places(records.size());
  lock_.lock();
  for (std::size_t i = 0; i < records.size(); ++i) places[i] = reserve(records[i], own[i]);
  Batch* const batch = active_;
  ++batch->entered;
  tail_.store(next_, std::memory_order_release);
  lock_.unlock();
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].copy_to(places[i].to, places[i].chain);
  }
  batch->left.fetch_add(1, std::memory_order_release);
}

void AppendBuffer::append_mark(const Mark& mark) {
  const SpinGuard guard(lock_);
  // What it says depends on where it lies.
  if (next_ + kMarkBytesMax + kContinuedBytes > segment_end_) continue_in_next_segment();
  const EncodedRecord record = encode_mark(mark, next_, key_);
  const Place place = reserve(record, nullptr);
  record.copy_to(place.to, place.chain);
  tail_.store(next_, std::memory_order_release);
}

// ---- Taking ----

Batch* AppendBuffer::take() {
  Batch* taken = nullptr;
  {
    const SpinGuard guard(lock_);
    if (active_->first == nullptr) return nullptr;
    taken = active_;
    active_ = taken == batches_.data() ? &batches_[1] : batches_.data();
    VIGIL_CHECK(active_->first == nullptr, "a batch was taken before the last was given back");
  }
  // Acquire: pairs with the release at the end of append().
  Backoff backoff;
  while (taken->left.load(std::memory_order_acquire) != taken->entered) backoff.pause();
  records_.fetch_add(taken->records, std::memory_order_relaxed);
  return taken;
}

void AppendBuffer::give_back(Batch* batch) {
  std::vector<Chunk*> surplus;
  {
    const SpinGuard guard(lock_);
    for (Chunk* chunk = batch->first; chunk != nullptr;) {
      Chunk* const next = chunk->next;
      if (chunk->capacity == kChunkBytes && spare_count_ < kSparesMax) {
        chunk->next = spares_;
        spares_ = chunk;
        ++spare_count_;
      } else {
        surplus.push_back(chunk);
      }
      chunk = next;
    }
    batch->first = batch->last = nullptr;
    batch->records = batch->entered = 0;
    batch->left.store(0, std::memory_order_relaxed);
  }
  for (Chunk* const chunk : surplus) free_chunk(chunk);
  keep_spares();
}

// So that writers need not allocate under the lock.
void AppendBuffer::keep_spares() {
  for (;;) {
    {
      const SpinGuard guard(lock_);
      if (spare_count_ >= kSparesMin) return;
    }
    Chunk* const chunk = new_chunk(kChunkBytes);
    const SpinGuard guard(lock_);
    chunk->next = spares_;
    spares_ = chunk;
    ++spare_count_;
  }
}

}  // namespace vigil::log
