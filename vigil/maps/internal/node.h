// SPDX-License-Identifier: Apache-2.0
//
// Nodes: heap objects for what does not fit into a slot, and the Limbo where they wait for the last
// reader after they were unlinked.
//
//   KeyNode<K>     an immutable key with its hash
//   ValueNode<V>   an immutable value; a change publishes a new node
//   LockedNode<V>  a value that cannot be copied: changed in place, and read, under the node's lock
//
// Limbo keeps one list per epoch of the last three and a list that is ready to be destroyed. A
// write takes a few nodes from the latter and destroys them after it released its shard, so that no
// write pays for many and no destructor of a user runs under a lock.
//
// Thread safety: a Limbo belongs to the lock of its shard. Nodes: stated above.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "vigil/base/spin_lock.h"
#include "vigil/table/epoch.h"

namespace vigil::maps::internal {

struct Node {
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;

  Node* next = nullptr;  // in a Limbo
};

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
  const K key;
  const std::uint64_t hash;
};

template <class V>
struct ValueNode final : Node {
  template <class... Args>
  explicit ValueNode(Args&&... args) : value(std::forward<Args>(args)...) {}
  V value;  // changed only before the node is published
};

// A spinning reader-writer lock for the time of one callback.
class NodeLock {
 public:
  void lock() noexcept {
    Backoff backoff;
    for (;;) {
      std::uint32_t unlocked = 0;
      if (word_.compare_exchange_weak(unlocked, kWriter, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return;
      }
      backoff.pause();
    }
  }
  void unlock() noexcept { word_.store(0, std::memory_order_release); }

  void lock_shared() noexcept {
    Backoff backoff;
    for (;;) {
      std::uint32_t readers = word_.load(std::memory_order_relaxed);
      if (readers != kWriter &&
          word_.compare_exchange_weak(readers, readers + 1, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return;
      }
      backoff.pause();
    }
  }
  void unlock_shared() noexcept { word_.fetch_sub(1, std::memory_order_release); }

 private:
  static constexpr std::uint32_t kWriter = ~std::uint32_t{0};
  std::atomic<std::uint32_t> word_{0};  // kWriter or the number of readers
};

template <class V>
struct LockedNode final : Node {
  template <class... Args>
  explicit LockedNode(Args&&... args) : value(std::forward<Args>(args)...) {}
  NodeLock lock;
  bool moved_out = false;  // under the lock: the value was given to a caller
  V value;                 // under the lock
};

// A few unlinked nodes that nobody can reach any more, destroyed with this object.
class Garbage {
 public:
  Garbage() = default;
  Garbage(Garbage&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  Garbage& operator=(Garbage&& other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~Garbage() {
    while (head_ != nullptr) delete std::exchange(head_, head_->next);
  }

  void push(Node* node) noexcept { node->next = std::exchange(head_, node); }

 private:
  Node* head_ = nullptr;
};

class Limbo {
 public:
  static constexpr std::uint32_t kDestroyedPerWrite = 4;  // more than a write retires

  Limbo() = default;
  Limbo(const Limbo&) = delete;
  Limbo& operator=(const Limbo&) = delete;
  // REQUIRES: no reader is left.
  ~Limbo() {
    ready_everything();
    const Garbage all = take_ready(~std::uint64_t{0});
  }

  // REQUIRES: `node` was unlinked by this thread. Returns whether the caller should advance the
  // epoch after it released the shard.
  [[nodiscard]] bool retire(Node* node) noexcept {
    table::EpochDomain& domain = table::EpochDomain::process();
    const std::uint64_t epoch = domain.epoch_after_unlinking();
    make_ready(epoch);
    Bag& bag = bags_[epoch % bags_.size()];
    bag.epoch = epoch;
    bag.list.push(node);
    ++size_;
    return domain.count_retired();
  }

  [[nodiscard]] Garbage take_some() noexcept {
    if (size_ == 0) return {};
    if (ready_.head == nullptr) make_ready(table::EpochDomain::process().epoch());
    return take_ready(kDestroyedPerWrite);
  }
  [[nodiscard]] Garbage take_all_ready() noexcept {
    make_ready(table::EpochDomain::process().epoch());
    return take_ready(~std::uint64_t{0});
  }

  // Takes over the nodes of another limbo. They count as retired now, which can only keep them
  // longer.
  void absorb(Limbo& other) noexcept {
    const std::uint64_t epoch = table::EpochDomain::process().epoch();
    make_ready(epoch);
    Bag& mine = bags_[epoch % bags_.size()];
    mine.epoch = epoch;
    for (Bag& bag : other.bags_) mine.list.append(bag.list);
    ready_.append(other.ready_);
    size_ += std::exchange(other.size_, 0);
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

 private:
  struct List {
    Node* head = nullptr;
    Node* tail = nullptr;

    void push(Node* node) noexcept {
      node->next = head;
      head = node;
      if (tail == nullptr) tail = node;
    }
    void append(List& other) noexcept {
      if (other.head == nullptr) return;
      (tail == nullptr ? head : tail->next) = other.head;
      tail = other.tail;
      other = List();
    }
  };
  struct Bag {
    std::uint64_t epoch = 0;  // at which the nodes in the list were retired
    List list;
  };

  void make_ready(std::uint64_t epoch) noexcept {
    for (Bag& bag : bags_) {
      if (bag.epoch + 2 <= epoch) ready_.append(bag.list);
    }
  }
  void ready_everything() noexcept {
    for (Bag& bag : bags_) ready_.append(bag.list);
  }
  Garbage take_ready(std::uint64_t count) noexcept {
    Garbage garbage;
    for (; count != 0 && ready_.head != nullptr; --count) {
      garbage.push(std::exchange(ready_.head, ready_.head->next));
      --size_;
    }
    if (ready_.head == nullptr) ready_.tail = nullptr;
    return garbage;
  }

  std::array<Bag, 3> bags_;
  List ready_;
  std::uint64_t size_ = 0;
};

}  // namespace vigil::maps::internal
