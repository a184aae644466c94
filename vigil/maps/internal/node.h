// SPDX-License-Identifier: Apache-2.0
//
// Nodes: heap objects for what does not fit into a slot.
//
//   KeyNode<K>     an immutable key with its hash
//   ValueNode<V>   an immutable value; a change publishes a new node. Owned by the map and by pins
//   LockedNode<V>  a value that cannot be copied: changed in place, and read, under the node's lock
//
// What becomes of an unlinked node: reclaimer.h.
//
// Thread safety: stated above.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "vigil/base/spin_lock.h"
#include "vigil/maps/heap_bytes.h"

namespace vigil::maps::internal {

struct Node {
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // The map has no more use for the node, and no reader either.
  virtual void let_go() noexcept = 0;
  // About what its end gives back.
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;

  Node* next = nullptr;  // in a list of unlinked nodes

 protected:
  ~Node() = default;
};

// With what an allocation costs besides.
template <class Node, class Content>
[[nodiscard]] std::size_t node_bytes(const Content& content) noexcept {
  constexpr std::size_t kAllocation = 16;
  return sizeof(Node) + kAllocation + HeapBytes<Content>::of(content);
}

[[nodiscard]] inline std::uint64_t node_word(const Node* node) noexcept {
  return reinterpret_cast<std::uintptr_t>(node);
}
template <class T>
[[nodiscard]] T* node_at(std::uint64_t word) noexcept {
  return static_cast<T*>(reinterpret_cast<Node*>(word));
}

template <class K>
struct KeyNode final : Node {
  KeyNode(K k, std::uint64_t h) : key(std::move(k)), hash(h) {}
  void let_go() noexcept override { delete this; }
  [[nodiscard]] std::size_t bytes() const noexcept override { return node_bytes<KeyNode>(key); }

  const K key;
  const std::uint64_t hash;
};

template <class V>
struct ValueNode final : Node {
  template <class... Args>
  explicit ValueNode(Args&&... args) : value(std::forward<Args>(args)...) {}
  void let_go() noexcept override {
    // Nobody can pin it any more. acquire: what pins did with the value is done.
    if (owners_.load(std::memory_order_acquire) == 1) {
      delete this;
    } else {
      release();
    }
  }
  [[nodiscard]] std::size_t bytes() const noexcept override { return node_bytes<ValueNode>(value); }

  // A pin. REQUIRES: this thread protects the node, or has another pin of it.
  void acquire() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    // release: this owner's reads are done; acquire: so are those of all others.
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  std::atomic<std::uint64_t> owners_{1};

 public:
  V value;  // changed only before the node is published
};

// A reader-writer lock for the time of one callback, which spins and yields. A writer that waits
// goes before readers that come later.
class NodeLock {
 public:
  void lock() noexcept {
    Backoff backoff;
    for (;;) {
      std::uint32_t seen = word_.load(std::memory_order_relaxed);
      if ((seen & ~kWaiting) == 0) {
        // Takes the place of one that waits; others that wait say so again.
        if (word_.compare_exchange_weak(seen, kWriter, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
          return;
        }
      } else if ((seen & kWaiting) == 0) {
        word_.fetch_or(kWaiting, std::memory_order_relaxed);
      }
      backoff.pause();
    }
  }
  void unlock() noexcept { word_.fetch_and(~kWriter, std::memory_order_release); }

  void lock_shared() noexcept {
    Backoff backoff;
    for (;;) {
      std::uint32_t seen = word_.load(std::memory_order_relaxed);
      if (seen < kWaiting && word_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                                         std::memory_order_relaxed)) {
        return;
      }
      backoff.pause();
    }
  }
  void unlock_shared() noexcept { word_.fetch_sub(1, std::memory_order_release); }

 private:
  static constexpr std::uint32_t kWriter = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kWaiting = std::uint32_t{1} << 30;  // a writer
  std::atomic<std::uint32_t> word_{0};  // these, and the number of readers
};

template <class V>
struct LockedNode final : Node {
  template <class... Args>
  explicit LockedNode(Args&&... args) : value(std::forward<Args>(args)...) {}
  void let_go() noexcept override { delete this; }
  // Of the value as it came: the lock is not held when this is asked for.
  [[nodiscard]] std::size_t bytes() const noexcept override { return bytes_at_first; }

  NodeLock lock;
  std::atomic<bool> unlinked{false};  // the value is no longer the entry's
  V value;                            // under the lock
  const std::size_t bytes_at_first = node_bytes<LockedNode>(value);
};

}  // namespace vigil::maps::internal
