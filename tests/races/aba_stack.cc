// SPDX-License-Identifier: Apache-2.0
//
// A lock-free stack (Treiber 1986) whose nodes are used again: between a pop's look at the next
// node and its compare-and-swap another thread pops two nodes and pushes the first one back. The
// swap succeeds, and the stack's top is a node that somebody owns.
//
// EXPECT: crash
// EXPECT-FRAME: use
// RUN: --strategy pos
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include "tests/races/require.h"

namespace {

constexpr std::uint32_t kNone = 3;

struct Node {
  std::atomic<std::uint32_t> next{kNone};
  std::atomic<int> owners{0};
};

std::array<Node, kNone> nodes;

// The top in the low half; the fix counts every change in the high half.
std::atomic<std::uint64_t> top{kNone};

std::uint64_t with_top(std::uint64_t old, std::uint32_t node) {
#ifdef FIXED
  return (((old >> 32) + 1) << 32) | node;
#else
  return (old & 0) | node;
#endif
}

void push(std::uint32_t node) {
  std::uint64_t old = top;
  do {
    nodes[node].next = static_cast<std::uint32_t>(old);
  } while (!top.compare_exchange_weak(old, with_top(old, node)));
}

std::uint32_t pop() {
  std::uint64_t old = top;
  while (static_cast<std::uint32_t>(old) != kNone) {
    const std::uint32_t next = nodes[static_cast<std::uint32_t>(old)].next;
    if (top.compare_exchange_weak(old, with_top(old, next))) break;
  }
  return static_cast<std::uint32_t>(old);
}

void use(std::uint32_t node) {
  if (node == kNone) return;
  require(nodes[node].owners++ == 0, "two threads own one node");
}

void give_back(std::uint32_t node) {
  if (node == kNone) return;
  --nodes[node].owners;
  push(node);
}

void pop_one() { use(pop()); }

void pop_two_push_first() {
  const std::uint32_t first = pop();
  use(first);
  const std::uint32_t second = pop();
  use(second);
  give_back(first);
  use(pop());
}

}  // namespace

int main() {
  for (std::uint32_t node = 0; node < kNone; ++node) push(node);
  const std::jthread slow(pop_one);
  const std::jthread quick(pop_two_push_first);
}
