// SPDX-License-Identifier: Apache-2.0
//
// What -fsanitize=thread makes compilers call for atomic operations.
//
// Each operation records an atomic access, and adds the edges that its memory order promises:
//   acquire   the thread learns the clock of the object
//   release   a store replaces the object's clock, a read-modify-write joins to it (it continues
//             the release sequence)
//   relaxed   no edge, but fences reach over it: what a relaxed load saw is learned by a later
//             acquire fence, and what a release fence published goes out with later relaxed stores
// A read-modify-write or a releasing store holds the object's lock around the real operation, so
// that clock and value change together.
//
// The real operations are sequentially consistent, whatever was asked for: stale values of weaker
// orders are not simulated; a missing order is found by the clocks.
//
// Context: the program's own code, at any place.
#include <new>

#include "vigil/race/rt/detector/shadow.h"
#include "vigil/race/rt/detector/sync_objects.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {
namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;
using U128 = unsigned __int128;

// The numbers of the memory orders; x86 adds bits for lock elision above them.
constexpr int kOrderMask = 0xf;
bool acquires(int order) {
  order &= kOrderMask;
  return order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order >= __ATOMIC_ACQ_REL;
}
bool releases(int order) { return (order & kOrderMask) >= __ATOMIC_RELEASE; }

template <class T>
T real_exchange_if(volatile T* object, T expected, T desired) {
  return __sync_val_compare_and_swap(object, expected, desired);
}

template <class T>
T real_load(const volatile T* object) {
  if constexpr (sizeof(T) == 16) {
    return real_exchange_if(const_cast<volatile T*>(object), T{0}, T{0});
  } else {
    return __atomic_load_n(object, __ATOMIC_SEQ_CST);
  }
}

// Replaces the value by operation(value); returns what it was.
template <class T, class Operation>
T real_modify(volatile T* object, Operation operation) {
  T before = real_load(object);
  while (true) {
    const T seen = real_exchange_if(object, before, static_cast<T>(operation(before)));
    if (seen == before) return before;
    before = seen;
  }
}

template <class T>
void real_store(volatile T* object, T value) {
  if constexpr (sizeof(T) == 16) {
    real_modify(object, [&](T) { return value; });
  } else {
    __atomic_store_n(object, value, __ATOMIC_SEQ_CST);
  }
}

template <class T>
Address address_of(const volatile T* object) {
  return reinterpret_cast<Address>(object);
}

template <class T, Cell kFlags>
[[gnu::always_inline]] inline void atomic_access(const volatile T* object, Address pc) {
  if constexpr (sizeof(T) == 16) {
    access<8, kFlags>(address_of(object), pc);
    access<8, kFlags>(address_of(object) + 8, pc);
  } else {
    access<sizeof(T), kFlags>(address_of(object), pc);
  }
}

VectorClock& make_fence(VectorClock*& fence) {
  if (fence == nullptr) fence = new (allocate_forever(sizeof(VectorClock))) VectorClock;
  return *fence;
}

// A later acquire fence learns what this load saw.
void keep_for_fence(Thread& thread, Address address) {
  SyncObject* const object = find_sync(address);
  if (object == nullptr || object->teaches_nothing(thread.clock)) return;
  const InsideScope inside(thread);
  acquire_into(address, make_fence(thread.acquire_fence));
}

// An earlier release fence goes out with this store.
void publish_fence(Thread& thread, Address address) {
  if (thread.release_fence == nullptr || thread.release_fence->size() == 0) return;
  const InsideScope inside(thread);
  LockedSync(address).release_merge(*thread.release_fence, 0);
}

// The same for a read-modify-write, which holds the object anyway.
void publish_fence(const Thread& thread, const LockedSync& sync) {
  if (thread.release_fence == nullptr || thread.release_fence->size() == 0) return;
  sync.release_merge(*thread.release_fence, 0);
}

// The point before an atomic operation. The frame lets a report of a spin loop say where it spins.
void point_at(PointKind kind, const volatile void* object, U64 value, Address pc) {
  const FrameScope frame(pc);
  scheduling_point(kind, object, value);
}

// `value` is what a store writes and what any other finds: an operation that meets the same value
// again and again waits for another thread.
template <class T>
[[gnu::noinline]] void point_at_write(const volatile T* object, T value, Address pc) {
  point_at(PointKind::kAtomicWrite, object, static_cast<U64>(value), pc);
}

template <class T>
[[gnu::always_inline]] inline T load(const volatile T* object, int order, Address pc) {
  // Also with one thread: its loop may wait for a signal.
  if (__builtin_expect(points_wanted(), 0)) {
    point_at(PointKind::kAtomicRead, object, static_cast<U64>(real_load(object)), pc);
  }
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return real_load(object);
  atomic_access<T, kAtomicCell | kReadCell>(object, pc);
  const T value = real_load(object);
  if (acquires(order)) {
    acquire(object);
  } else {
    keep_for_fence(*thread, address_of(object));
  }
  return value;
}

template <class T>
[[gnu::always_inline]] inline void store(volatile T* object, T value, int order, Address pc) {
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return real_store(object, value);
  if (__builtin_expect(points_wanted(), 0)) point_at_write(object, value, pc);
  atomic_access<T, kAtomicCell>(object, pc);
  if (!releases(order)) {
    publish_fence(*thread, address_of(object));
    return real_store(object, value);
  }
  const InsideScope inside(*thread);
  {
    const LockedSync sync(address_of(object));
    sync.release_store(thread->clock, thread->now());
    real_store(object, value);
  }
  next_epoch(*thread);
}

// A read-modify-write; `real` carries it out and returns the value it found.
template <class T, class Real>
[[gnu::always_inline]] inline T modify(volatile T* object, int order, Address pc, Real real) {
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return real();
  if (__builtin_expect(points_wanted(), 0)) point_at_write(object, real_load(object), pc);
  atomic_access<T, kAtomicCell>(object, pc);
  if ((order & kOrderMask) == __ATOMIC_RELAXED) {
    publish_fence(*thread, address_of(object));
    const T before = real();
    keep_for_fence(*thread, address_of(object));
    return before;
  }
  const InsideScope inside(*thread);
  T before;
  {
    const LockedSync sync(address_of(object));
    if (acquires(order)) sync.acquire(thread->clock);
    before = real();
    if (releases(order)) {
      sync.release_merge(thread->clock, thread->now());
    } else {
      publish_fence(*thread, sync);
    }
  }
  if (releases(order)) next_epoch(*thread);
  return before;
}

// A failed exchange is a load: it acquires by its own order and releases nothing.
template <class T>
[[gnu::always_inline]] inline T exchange_if(volatile T* object, T expected, T desired, int order,
                                            int failure_order, Address pc) {
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return real_exchange_if(object, expected, desired);
  if (__builtin_expect(points_wanted(), 0)) point_at_write(object, real_load(object), pc);
  atomic_access<T, kAtomicCell>(object, pc);
  const InsideScope inside(*thread);
  bool released = false;
  T found;
  {
    const LockedSync sync(address_of(object));
    found = real_exchange_if(object, expected, desired);
    const bool succeeded = found == expected;
    if (acquires(succeeded ? order : failure_order)) sync.acquire(thread->clock);
    released = succeeded && releases(order);
    if (released) {
      sync.release_merge(thread->clock, thread->now());
    } else if (succeeded) {
      publish_fence(*thread, sync);
    }
  }
  if (released) next_epoch(*thread);
  if ((order & kOrderMask) == __ATOMIC_RELAXED) keep_for_fence(*thread, address_of(object));
  return found;
}

template <class T>
[[gnu::always_inline]] inline int exchange_if_equal(volatile T* object, T* expected, T desired,
                                                    int order, int failure_order, Address pc) {
  const T wanted = *expected;
  const T found = exchange_if(object, wanted, desired, order, failure_order, pc);
  if (found == wanted) return 1;
  *expected = found;
  return 0;
}

}  // namespace
}  // namespace vigil::race

using namespace vigil::race;

#define VIGIL_MODIFY(bits, name, expression)                                                       \
  U##bits __tsan_atomic##bits##_##name(volatile U##bits* object, U##bits operand, int order) {     \
    return modify(object, order, VIGIL_CALLER_PC, [&] {                                            \
      return real_modify(object, [&](U##bits value) { return static_cast<U##bits>(expression); }); \
    });                                                                                            \
  }
#define VIGIL_ATOMIC(bits)                                                                         \
  U##bits __tsan_atomic##bits##_load(const volatile U##bits* object, int order) {                  \
    return load(object, order, VIGIL_CALLER_PC);                                                   \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile U##bits* object, U##bits value, int order) {           \
    store(object, value, order, VIGIL_CALLER_PC);                                                  \
  }                                                                                                \
  VIGIL_MODIFY(bits, exchange, ((void)value, operand))                                             \
  VIGIL_MODIFY(bits, fetch_add, value + operand)                                                   \
  VIGIL_MODIFY(bits, fetch_sub, value - operand)                                                   \
  VIGIL_MODIFY(bits, fetch_and, value& operand)                                                    \
  VIGIL_MODIFY(bits, fetch_or, value | operand)                                                    \
  VIGIL_MODIFY(bits, fetch_xor, value ^ operand)                                                   \
  VIGIL_MODIFY(bits, fetch_nand, ~(value & operand))                                               \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile U##bits* object, U##bits* expected,   \
                                                    U##bits desired, int order,                    \
                                                    int failure_order) {                           \
    return exchange_if_equal(object, expected, desired, order, failure_order, VIGIL_CALLER_PC);    \
  }                                                                                                \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile U##bits* object, U##bits* expected,     \
                                                  U##bits desired, int order, int failure_order) { \
    return exchange_if_equal(object, expected, desired, order, failure_order, VIGIL_CALLER_PC);    \
  }                                                                                                \
  U##bits __tsan_atomic##bits##_compare_exchange_val(                                              \
      volatile U##bits* object, U##bits expected, U##bits desired, int order, int failure_order) { \
    return exchange_if(object, expected, desired, order, failure_order, VIGIL_CALLER_PC);          \
  }

extern "C" {

VIGIL_ATOMIC(8)
VIGIL_ATOMIC(16)
VIGIL_ATOMIC(32)
VIGIL_ATOMIC(64)
VIGIL_ATOMIC(128)

void __tsan_atomic_thread_fence(int order) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return;
  const InsideScope inside(*thread);
  if (acquires(order) && thread->acquire_fence != nullptr) {
    thread->clock.join(*thread->acquire_fence);
    thread->acquire_fence->clear();
  }
  if (releases(order)) {
    make_fence(thread->release_fence).assign(thread->clock);
    next_epoch(*thread);
  }
}

void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
