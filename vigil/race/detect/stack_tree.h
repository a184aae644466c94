// SPDX-License-Identifier: Apache-2.0
//
// All call stacks of the process as one tree: a stack is a node, its parent the stack of the
// caller. A stack is then a 24-bit number that fits into a shadow cell, and the same stack has the
// same number in every thread.
//
// Recursion is folded: a call that would repeat one of the last few frames leads back to that
// frame's node. Deep recursion costs a bounded number of nodes; such a stack is shown with the
// cycle once.
//
// Invariants: a node never changes and never goes away; node 0 is the empty stack; parents have
// smaller numbers than their children.
//
// Thread safety: all functions; insertion is lock-free. Memory: 16 bytes per node and 4 per head,
// given by the owner. A full tree answers kUnknown.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/detect/cell.h"

namespace vigil::race {

class StackTree {
 public:
  struct Node {
    std::uint64_t pc;
    std::uint32_t parent;
    std::uint32_t next;  // in the chain of its hash
  };
  static constexpr std::uint32_t kNodes = std::uint32_t{1} << kStackBits;
  static constexpr std::uint32_t kHeads = std::uint32_t{1} << 18;
  static constexpr std::uint32_t kEmpty = 0;
  static constexpr std::uint32_t kUnknown = 0;

  // kNodes nodes and kHeads heads, all zero.
  void init(Node* nodes, std::uint32_t* heads) {
    nodes_ = nodes;
    heads_ = heads;
  }

  std::uint32_t push(std::uint32_t parent, std::uint64_t pc);

  std::uint32_t parent(std::uint32_t stack) const { return nodes_[stack].parent; }
  std::uint64_t pc(std::uint32_t stack) const { return nodes_[stack].pc; }
  std::uint32_t size() const { return __atomic_load_n(&used_, __ATOMIC_RELAXED); }

  static std::uint64_t hash(std::uint32_t parent, std::uint64_t pc) {
    return (pc ^ parent * 0x9E37'79B9'7F4A'7C15) * 0xD6E8'FEB8'6659'FD93;
  }

 private:
  static constexpr int kFoldedFrames = 8;

  Node* nodes_ = nullptr;
  std::uint32_t* heads_ = nullptr;
  std::uint32_t used_ = 1;
};

// A thread's own cache in front of the tree. Thread safety: one thread.
class StackCache {
 public:
  [[gnu::always_inline]] std::uint32_t push(StackTree& tree, std::uint32_t parent,
                                            std::uint64_t pc) {
    Entry& entry = entries_[StackTree::hash(parent, pc) >> (64 - kBits)];
    if (__builtin_expect(entry.pc == pc && entry.parent == parent, 1)) return entry.stack;
    return push_slow_path(tree, entry, parent, pc);
  }

 private:
  static constexpr unsigned kBits = 11;
  struct Entry {
    std::uint64_t pc;
    std::uint32_t parent;
    std::uint32_t stack;
  };
  static std::uint32_t push_slow_path(StackTree& tree, Entry& entry, std::uint32_t parent,
                                      std::uint64_t pc);

  Entry entries_[std::size_t{1} << kBits] = {};
};

}  // namespace vigil::race
