// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/stack_tree.h"

namespace vigil::race {

std::uint32_t StackTree::push(std::uint32_t parent, std::uint64_t pc) {
  std::uint32_t ancestor = parent;
  for (int depth = 0; depth < kFoldedFrames && ancestor != kEmpty; ++depth) {
    if (nodes_[ancestor].pc == pc) return ancestor;
    ancestor = nodes_[ancestor].parent;
  }
  std::uint32_t* const head = &heads_[hash(parent, pc) >> (64 - 18)];
  std::uint32_t first = __atomic_load_n(head, __ATOMIC_ACQUIRE);
  std::uint32_t fresh = 0;
  while (true) {
    for (std::uint32_t node = first; node != 0; node = nodes_[node].next) {
      if (nodes_[node].pc == pc && nodes_[node].parent == parent) return node;
    }
    if (fresh == 0) {
      if (size() >= kNodes) return kUnknown;
      fresh = __atomic_fetch_add(&used_, 1, __ATOMIC_RELAXED);
      if (fresh >= kNodes) {
        __atomic_store_n(&used_, kNodes, __ATOMIC_RELAXED);
        return kUnknown;
      }
      nodes_[fresh].pc = pc;
      nodes_[fresh].parent = parent;
    }
    nodes_[fresh].next = first;
    // Release: a thread that finds the node by its number, in a chain or a cell, finds it complete.
    if (__atomic_compare_exchange_n(head, &first, fresh, false, __ATOMIC_RELEASE,
                                    __ATOMIC_ACQUIRE)) {
      return fresh;
    }
  }
}

std::uint32_t StackCache::push_slow_path(StackTree& tree, Entry& entry, std::uint32_t parent,
                                         std::uint64_t pc) {
  const std::uint32_t stack = tree.push(parent, pc);
  entry = {pc, parent, stack};
  return stack;
}

}  // namespace vigil::race
