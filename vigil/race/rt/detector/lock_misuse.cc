// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/lock_misuse.h"

#include <algorithm>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/findings.h"
#include "vigil/race/rt/detector/sync_objects.h"
#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/options.h"

namespace vigil::race {
namespace {

// A lock and how it is taken: SyncObject::id, twice, and 1 more of a read lock.
using LockUse = std::uint32_t;

constexpr std::uint32_t kEdges = 1 << 16;
constexpr unsigned kPlacesLog2 = 18;
constexpr std::uint32_t kPlaces = 1U << kPlacesLog2;
constexpr std::uint32_t kChains = 1 << 16;
constexpr std::size_t kGates = 4;
constexpr std::size_t kCircleMax = 32;

struct Edge {
  LockUse from;
  LockUse to;
  std::uint32_t thread;
  StackId stack;                // where `to` was waited for
  std::uint32_t next_plus_one;  // another edge of its chain; 0: the last
  LockUse gates[kGates];
};

struct State {
  SpinLock lock;  // of those that add an edge
  std::uint32_t count;
  Edge edges[kEdges];
  std::uint64_t places[kPlaces];  // open addressing: the edges' keys
  std::uint32_t chains[kChains];  // edges by the lock that they come from, the last one first
};
constinit State state = {};

LockUse use_of(std::uint32_t id, LockKind kind) {
  return id << 1 | static_cast<LockUse>(kind == LockKind::kReadLock);
}
LockUse use_of(const HeldLock& held) { return use_of(held.id, held.kind); }

// Whether the one keeps the other waiting.
bool exclude_each_other(LockUse one, LockUse other) {
  const bool both_read = (one & other & 1) != 0;
  return one >> 1 == other >> 1 && !both_read;
}

std::uint64_t key_of(LockUse from, LockUse to) { return std::uint64_t{from} << 32 | to; }

// Of the edges that come from the lock, and of some others.
std::uint32_t& chain_of(LockUse use) { return state.chains[(use >> 1) % kChains]; }

// Where the key is or would be.
std::uint64_t& place_of(std::uint64_t key) {
  std::uint32_t at = static_cast<std::uint32_t>(key * 0x9E37'79B9'7F4A'7C15 >> (64 - kPlacesLog2));
  for (;; at = (at + 1) % kPlaces) {
    const std::uint64_t found = __atomic_load_n(&state.places[at], __ATOMIC_ACQUIRE);
    if (found == 0 || found == key) return state.places[at];
  }
}

std::uint32_t held_count(const Thread& thread) {
  return std::min(thread.held_count, Thread::kHeldLocks);
}

// Whether it holds what excludes that use.
bool excludes(const Thread& thread, LockUse use) {
  for (std::uint32_t index = 0; index < held_count(thread); ++index) {
    if (exclude_each_other(use_of(thread.held[index]), use)) return true;
  }
  return false;
}

bool follows_order() {
  const LockOrder wanted = options().lock_order;
  const bool usual = options().mode == Mode::kFree;
  return options().locks && (wanted == LockOrder::kOn || (wanted == LockOrder::kByMode && usual));
}

// Whether a lock that was held at the edge, besides its own, is held now.
bool is_kept_apart(const Edge& edge, const Thread& thread) {
  for (const LockUse gate : edge.gates) {
    if (gate != 0 && excludes(thread, gate)) return true;
  }
  return false;
}

// The first edge of a way from `begin` to `end` whose edges the thread's locks do not keep apart
// from what it does now; null if there is none. REQUIRES: the lock.
const Edge* way_between(LockUse begin, LockUse end, const Thread& thread) {
  LockUse reached[kCircleMax] = {begin};
  const Edge* first[kCircleMax] = {};
  std::size_t count = 1;
  for (std::size_t looked = 0; looked < count; ++looked) {
    for (std::uint32_t at = chain_of(reached[looked]); at != 0;) {
      const Edge& edge = state.edges[at - 1];
      at = edge.next_plus_one;
      if (!exclude_each_other(edge.from, reached[looked]) || is_kept_apart(edge, thread)) continue;
      const Edge* const start = looked == 0 ? &edge : first[looked];
      if (exclude_each_other(edge.to, end)) return start;
      const bool known = std::find(reached, reached + count, edge.to) != reached + count;
      if (known || count == kCircleMax) continue;
      reached[count] = edge.to;
      first[count++] = start;
    }
  }
  return nullptr;
}

// Adds the edge; true with the edge that it closes a circle with.
bool add_edge(Thread& thread, const HeldLock& held, LockUse to, StackId stack, Edge* closed) {
  const LockUse from = use_of(held);
  const std::uint64_t key = key_of(from, to);
  const InsideScope inside(thread);  // no fork copies the lock while it is held
  const SpinGuard guard(state.lock);
  std::uint64_t& place = place_of(key);
  if (place == key || state.count == kEdges) return false;
  const Edge* const back = way_between(to, from, thread);
  if (back != nullptr) *closed = *back;
  Edge& edge = state.edges[state.count++];
  edge = Edge{from, to, thread.number, stack, chain_of(from), {}};
  chain_of(from) = state.count;
  std::size_t gates = 0;
  for (std::uint32_t index = 0; index < held_count(thread) && gates < kGates; ++index) {
    if (thread.held[index].id != held.id) edge.gates[gates++] = use_of(thread.held[index]);
  }
  __atomic_store_n(&place, key, __ATOMIC_RELEASE);
  return back != nullptr;
}

}  // namespace

bool holds_lock(const volatile void* lock) {
  const Thread* const thread = thread_self;
  if (thread == nullptr) return false;
  const auto address = reinterpret_cast<Address>(lock);
  for (std::uint32_t index = 0; index < held_count(*thread); ++index) {
    if (thread->held[index].address == address) return true;
  }
  return false;
}

void report_lock_misuse(LockMisuse misuse, const volatile void* lock, Address pc,
                        const LockHolder& other) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !options().locks) return;
  report_lock_finding(*thread, static_cast<std::uint8_t>(misuse), reinterpret_cast<Address>(lock),
                      stack_at(*thread, pc), other.thread, other.acquired_at);
}

void report_lock_misuse(LockMisuse misuse, const volatile void* lock, Address pc) {
  report_lock_misuse(misuse, lock, pc, lock_holder(lock));
}

bool holds_locks() { return thread_self != nullptr && thread_self->held_count != 0; }

void check_locks_in(const volatile void* memory, std::size_t size, Address pc) {
  const Thread* const thread = thread_self;
  if (thread == nullptr) return;
  const auto begin = reinterpret_cast<Address>(memory);
  for (std::uint32_t index = held_count(*thread); index > 0; --index) {
    const HeldLock held = thread->held[index - 1];
    if (held.address - begin >= size) continue;
    const auto* const lock = reinterpret_cast<const volatile void*>(held.address);
    report_lock_misuse(LockMisuse::kFreedHeld, lock, pc,
                       {static_cast<std::int32_t>(thread->number), held.acquired_at});
    lock_released(lock);
  }
}

void check_locks_at_end(bool (*may)(const volatile void* lock, LockKind kind)) {
  Thread* const thread = thread_self;
  if (thread == nullptr || !options().locks) return;
  for (std::uint32_t index = 0; index < held_count(*thread); ++index) {
    const HeldLock& held = thread->held[index];
    const auto* const lock = reinterpret_cast<const volatile void*>(held.address);
    const bool given_away = held.kind != LockKind::kReadLock &&
                            lock_holder(lock).thread != static_cast<std::int32_t>(thread->number);
    if (given_away || may(lock, held.kind)) continue;
    report_lock_finding(*thread, static_cast<std::uint8_t>(LockMisuse::kHeldAtEnd), held.address,
                        held.acquired_at, -1, 0);
  }
}

void follow_lock_order(const volatile void* lock, LockKind kind, Address pc) {
  Thread* const thread = thread_self;
  if (thread == nullptr || thread->held_count == 0 || !follows_order()) return;
  if (holds_lock(lock)) return;
  const auto address = reinterpret_cast<Address>(lock);
  const LockUse to = use_of(find_or_make_sync(address).id, kind);
  for (std::uint32_t index = 0; index < held_count(*thread); ++index) {
    const HeldLock& held = thread->held[index];
    if (place_of(key_of(use_of(held), to)) != 0) continue;
    const StackId stack = stack_at(*thread, pc);
    Edge closed{};
    if (!add_edge(*thread, held, to, stack, &closed)) continue;
    report_lock_finding(*thread, static_cast<std::uint8_t>(LockMisuse::kOrder), address, stack,
                        static_cast<std::int32_t>(closed.thread), closed.stack);
  }
}

}  // namespace vigil::race
