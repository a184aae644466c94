// SPDX-License-Identifier: Apache-2.0
//
// What becomes of unlinked nodes. Each shard keeps a Retired list of those that its writers
// unlinked; from time to time a writer takes the lists of all shards to the map's Reclaimer, which
// keeps those that a reader uses (vigil/table/hazard.h) and hands back the others as Garbage, to be
// destroyed when no lock is held, so that no destructor of a user runs under one.
//
// How much waits. A shard's writers owe the bytes that they unlinked and kPerWrite for each write;
// one that finds more than the shard's limit owed reclaims, and waits for its turn to do so if it
// is twice the limit. So what waits in a map is at most
//   2 x limit x shards, and what each thread that is writing has just unlinked (a value; of a bulk
//   write the entries of one segment), and
//   what readers use: a key and a value for each visit that runs and for each pin, and the entries
//   of one segment for each for_each that runs.
// Proof: nodes outside of these lists are linked or destroyed. A list is as long as its debt says,
// which is below 2 x limit when its shard is unlocked, but for the last write. Nodes that the
// Reclaimer keeps were found in use when it last looked; it looks at all of them again each time.
//
// Entries: an iteration says by a NodeSet which nodes it has copied out of a segment.
//
// Lock order: that of reclaiming, then those of shards; a shard's, then that of the sets.
//
// Thread safety: Retired belongs to the lock of its shard, Garbage to a thread, a Reclaimer to
// nobody.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "vigil/base/mutex.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"
#include "vigil/maps/internal/node.h"
#include "vigil/table/hazard.h"

namespace vigil::maps::internal {

// Nodes that nobody can reach any more, destroyed with this object.
class Garbage {
 public:
  Garbage() = default;
  Garbage(Garbage&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  Garbage& operator=(Garbage&& other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~Garbage() {
    while (head_ != nullptr) std::exchange(head_, head_->next)->let_go();
  }

  void push(Node* node) noexcept { node->next = std::exchange(head_, node); }

 private:
  Node* head_ = nullptr;
};

// Unlinked nodes that may be in use.
class Retired {
 public:
  Retired() = default;
  Retired(const Retired&) = delete;
  Retired& operator=(const Retired&) = delete;
  // REQUIRES: no reader is left.
  ~Retired() { static_cast<void>(everything()); }

  // Returns the node's bytes.
  std::uint64_t push(Node* node) noexcept {
    const std::uint64_t bytes = node->bytes();
    node->next = std::exchange(head_, node);
    if (tail_ == nullptr) tail_ = node;
    bytes_ += bytes;
    return bytes;
  }
  // Takes over the nodes of another list.
  void absorb(Retired& other) noexcept {
    if (other.head_ == nullptr) return;
    other.tail_->next = head_;
    head_ = other.head_;
    if (tail_ == nullptr) tail_ = other.tail_;
    bytes_ += other.bytes_;
    other.forget();
  }
  // Calls keep(node) for each and returns those for which it is false.
  template <class Keep>
  Garbage sift(Keep&& keep) noexcept {
    Garbage garbage;
    Node* node = head_;
    forget();
    while (node != nullptr) {
      Node* const next = node->next;
      if (keep(*node)) [[unlikely]] {
        push(node);
      } else {
        garbage.push(node);
      }
      node = next;
    }
    return garbage;
  }
  // REQUIRES: no reader is left.
  Garbage everything() noexcept {
    return sift([](const Node&) { return false; });
  }

  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  void forget() noexcept {
    head_ = tail_ = nullptr;
    bytes_ = 0;
  }

  Node* head_ = nullptr;
  Node* tail_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// Nodes that one thread uses without a hazard for each, from enter() to leave().
class NodeSet {
 public:
  std::vector<const Node*> nodes;  // changed only outside

 private:
  friend class Reclaimer;
  NodeSet* previous_ = nullptr;
  NodeSet* next_ = nullptr;
};

class Reclaimer {
 public:
  static constexpr std::uint32_t kBytes = std::uint32_t{4} << 20;  // of a map, about
  static constexpr std::uint32_t kShardBytesMin = std::uint32_t{16} << 10;
  static constexpr std::uint32_t kPerWrite = 16;

  // What a shard's writers may owe before one of them reclaims.
  [[nodiscard]] static constexpr std::uint32_t limit(std::uint32_t shards) noexcept {
    return std::max(kShardBytesMin, kBytes / shards);
  }

  explicit Reclaimer(table::HazardDomain& domain) noexcept : domain_(domain) {}
  Reclaimer(const Reclaimer&) = delete;
  Reclaimer& operator=(const Reclaimer&) = delete;

  [[nodiscard]] table::HazardDomain& domain() const noexcept { return domain_; }

  // The nodes that collect(Retired&) finds and those kept from earlier, without those in use. May
  // do nothing if another thread is about it, unless `wait`.
  template <class Collect>
  [[nodiscard]] Garbage reclaim(bool wait, Collect&& collect) VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock turn(turn_, std::defer_lock);
    if (wait) {
      turn.lock();
    } else if (!turn.try_lock()) {
      return {};
    }
    collect(kept_);
    Garbage garbage = kept_.empty() ? Garbage() : sift();
    kept_bytes_.store(kept_.bytes(), std::memory_order_relaxed);
    return garbage;
  }

  // REQUIRES: the lock of the shard whose nodes they are, held since before they were found.
  void enter(NodeSet& set) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    const std::lock_guard guard(sets_lock_);
    set.previous_ = nullptr;
    set.next_ = std::exchange(sets_, &set);
    if (set.next_ != nullptr) set.next_->previous_ = &set;
  }
  void leave(NodeSet& set) noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    const std::lock_guard guard(sets_lock_);
    (set.previous_ == nullptr ? sets_ : set.previous_->next_) = set.next_;
    if (set.next_ != nullptr) set.next_->previous_ = set.previous_;
  }

  // Nodes that a reader used when they were last looked at, and the thread of one such reader.
  [[nodiscard]] std::uint64_t kept() const noexcept {
    return kept_count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t kept_bytes() const noexcept {
    return kept_bytes_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::int32_t keeping_thread() const noexcept {
    return keeping_thread_.load(std::memory_order_relaxed);
  }

 private:
  // A few thousand bits that say of most addresses that nobody uses them.
  class Filter {
   public:
    void add(const void* object) noexcept { word(object) |= bit(object); }
    [[nodiscard]] bool may_contain(const void* object) noexcept {
      return (word(object) & bit(object)) != 0;
    }

   private:
    static std::uint64_t hash(const void* object) noexcept {
      return reinterpret_cast<std::uintptr_t>(object) * 0x9E3779B97F4A7C15ULL >> 52;
    }
    std::uint64_t& word(const void* object) noexcept { return words_[hash(object) / 64]; }
    static std::uint64_t bit(const void* object) noexcept {
      return std::uint64_t{1} << hash(object) % 64;
    }
    std::array<std::uint64_t, 64> words_{};
  };

  // REQUIRES: this thread's turn.
  Garbage sift() noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    domain_.barrier();
    const std::lock_guard guard(sets_lock_);
    Filter filter;
    for_each_in_use([&filter](const void* object, pid_t) { filter.add(object); });
    kept_count_.store(0, std::memory_order_relaxed);
    keeping_thread_.store(0, std::memory_order_relaxed);
    return kept_.sift([&](const Node& node) {
      if (!filter.may_contain(&node)) return false;
      bool used = false;
      for_each_in_use([&](const void* object, pid_t thread) {
        if (object != &node) return;
        used = true;
        if (thread != 0) keeping_thread_.store(thread, std::memory_order_relaxed);
      });
      if (used) kept_count_.fetch_add(1, std::memory_order_relaxed);
      return used;
    });
  }
  // REQUIRES: sets_lock_.
  template <class Use>
  void for_each_in_use(Use&& use) const VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    domain_.for_each_in_use(use);
    for (const NodeSet* set = sets_; set != nullptr; set = set->next_) {
      for (const Node* node : set->nodes) use(node, 0);
    }
  }

  table::HazardDomain& domain_;
  Mutex turn_;
  Retired kept_ VIGIL_GUARDED_BY(turn_);
  std::atomic<std::uint64_t> kept_count_{0};
  std::atomic<std::uint64_t> kept_bytes_{0};
  std::atomic<std::int32_t> keeping_thread_{0};
  SpinLock sets_lock_;
  NodeSet* sets_ VIGIL_GUARDED_BY(sets_lock_) = nullptr;
};

}  // namespace vigil::maps::internal
