// SPDX-License-Identifier: Apache-2.0
//
// Counters: what one reactor counts, read by any thread while it runs.
//
// Each counter is written by its reactor only: add() is a relaxed load and a relaxed store (one
// plain increment on x86-64, no lock prefix), about a nanosecond. A scraper sums the counters of
// all reactors; a sum is not a snapshot of one instant.
//
// LatencyHistogram is log-linear (as HdrHistogram, Tene 2012): kSubBuckets linear buckets per power
// of two of nanoseconds, so a bucket is at most 25 % wide; recording is one increment.
//
// Thread safety: writes by the owner only; reads by anyone.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace vigil::server {

class Counter {
 public:
  void add(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  // For gauges: REQUIRES amount <= value().
  void subtract(std::uint64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
  }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class LatencyHistogram {
 public:
  static constexpr std::uint32_t kSubBuckets = 4;
  static constexpr std::uint32_t kOctaves = 40;  // up to 2^40 ns, about 18 minutes
  static constexpr std::uint32_t kBuckets = kSubBuckets * kOctaves;

  void record(std::uint64_t nanoseconds, std::uint64_t times = 1) noexcept {
    record_in(bucket_of(nanoseconds), nanoseconds, times);
  }
  // The same, where bucket_of(nanoseconds) is known.
  void record_in(std::uint32_t bucket, std::uint64_t nanoseconds, std::uint64_t times) noexcept {
    buckets_[bucket].add(times);
    sum_ns_.add(nanoseconds * times);
  }

  void reset() noexcept {
    for (Counter& bucket : buckets_) bucket.set(0);
    sum_ns_.set(0);
  }

  [[nodiscard]] std::uint64_t bucket(std::uint32_t index) const noexcept {
    return buckets_[index].value();
  }
  [[nodiscard]] std::uint64_t sum_ns() const noexcept { return sum_ns_.value(); }

  [[nodiscard]] static constexpr std::uint32_t bucket_of(std::uint64_t nanoseconds) noexcept {
    if (nanoseconds < kSubBuckets) return static_cast<std::uint32_t>(nanoseconds);
    const auto octave = static_cast<std::uint32_t>(std::bit_width(nanoseconds)) - 3;
    const auto sub = static_cast<std::uint32_t>(nanoseconds >> octave) - kSubBuckets;
    const std::uint32_t index = (octave + 1) * kSubBuckets + sub;
    return index < kBuckets ? index : kBuckets - 1;
  }
  // The smallest value that is above every value of the bucket.
  [[nodiscard]] static constexpr std::uint64_t upper_bound_ns(std::uint32_t index) noexcept {
    if (index < kSubBuckets) return index + 1;
    const std::uint32_t octave = index / kSubBuckets - 1;
    return (std::uint64_t{index % kSubBuckets + kSubBuckets} + 1) << octave;
  }

 private:
  std::array<Counter, kBuckets> buckets_{};
  Counter sum_ns_;
};

// Command families, as labels of the command counters.
enum class CommandFamily : std::uint8_t {
  kConnection,
  kServer,
  kRead,    // string reads: GET, MGET, STRLEN, ...
  kWrite,   // string writes: SET, INCR, APPEND, ...
  kKey,     // DEL, EXISTS, RENAME, SCAN, ...
  kExpiry,  // EXPIRE, TTL, PERSIST, ...
  kPubSub,
  kOrder,  // ORDER.*
  kHttp,
  kUnknown,
};
inline constexpr std::size_t kCommandFamilies = 10;
inline constexpr std::array<const char*, kCommandFamilies> kCommandFamilyNames = {
    "connection", "server", "read", "write", "key", "expiry", "pubsub", "order", "http", "unknown"};

struct alignas(64) ReactorCounters {
  // Requests, by family; each belongs to exactly one.
  std::array<Counter, kCommandFamilies> commands{};
  Counter errors;  // error replies
  Counter hits;    // reads that found their key
  Counter misses;
  Counter busy_rejections;  // writes refused because the shard's queue was full

  // Order events by outcome (index: orders::OrderOutcome).
  std::array<Counter, 16> order_outcomes{};

  Counter bytes_in;
  Counter bytes_out;

  Counter connections_accepted;
  Counter connections_refused;  // over connections_max
  Counter connections_open;     // gauge
  Counter connections_dropped;  // cut off: output limit, time-out, protocol error
  Counter connections_shed;     // of those: they held most when the buffers were over their limit
  Counter connection_faults;    // exceptions contained at the edge of a connection (fault.h)
  Counter messages_published;   // pub/sub messages delivered to connections

  // One sample per batch of requests of one connection: time from parsing to the last reply in
  // the output buffer. batch_requests / samples is the mean batch size.
  LatencyHistogram batch_latency;
  Counter batch_requests;
  // One sample per batch that contained at least one write, weighted by its writes: the batch's
  // time divided by its requests.
  LatencyHistogram write_latency;

  Counter expired_entries;
  LatencyHistogram expiry_lag;  // collection time - deadline, one sample per expired entry

  Counter turns;    // of the event loop
  Counter busy_ns;  // time outside epoll_wait
  Counter wakeups;  // eventfd wake-ups received
  Counter cpu_ns;   // CPU time of the reactor's thread, refreshed about once per second
};

}  // namespace vigil::server
