// SPDX-License-Identifier: Apache-2.0
//
// Lazy<T>: a value that is made when it is first asked for, exactly once, by whichever thread asks
// (Go: sync.Once around the making of a value).
//
// Use when: a global is needed by threads that may run before main, or before the constructors of
// other files: `constinit` makes the Lazy usable before any code has run. Use instead: a local
// static where the making needs no arguments and cannot ask for itself; std::call_once for an
// action without a value.
//
// Thread safety: every member but construction and destruction may be called from any thread, also
// from one started before main. The first get() makes the value; others wait for it, asleep.
//
// Exceptions: if making fails, get() throws what was thrown. By default the next get() tries again,
// as std::call_once does; with OnFailure::kKeep every later get() throws the same exception, as a
// panic in Go's sync.OnceValue does.
//
// Re-entrancy: a value whose making asks for itself would wait for ever; VIGIL_CHECK stops it. Two
// that ask for each other on two threads deadlock, which is not seen.
//
// Lifetime: the destructor destroys the value; threads that use a global Lazy must end before the
// destructors of globals run, or the Lazy be one that is never destroyed.
//
// Costs: get() of a made value is one load and a branch.
//
// Example:
//   vigil::Lazy port([] { return 6379; });  // a global would be constinit
//   assert(!port.ready());
//   assert(port.get() == 6379);
//   assert(port.ready());
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "vigil/base/check.h"

namespace vigil {

enum class OnFailure : std::uint8_t { kRetry, kKeep };

template <class T, class Make = T (*)()>
class Lazy {
 public:
  constexpr explicit Lazy(Make maker, OnFailure on_failure = OnFailure::kRetry) noexcept
      : make_(std::move(maker)), on_failure_(on_failure) {}
  // REQUIRES: no other thread uses the value.
  ~Lazy() {
    const State state = state_.load(std::memory_order_acquire);
    if (state == kReady) std::destroy_at(&value);
    if (state == kFailed) std::destroy_at(&failure);
  }
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  [[nodiscard]] T& get() {
    // acquire: pairs with the release in finish(), so the value is seen as it was made.
    if (state_.load(std::memory_order_acquire) != kReady) [[unlikely]]
      make_or_wait();
    return value;
  }
  [[nodiscard]] T& operator*() { return get(); }
  [[nodiscard]] T* operator->() { return &get(); }

  // Whether get() would return at once.
  [[nodiscard]] bool ready() const noexcept {
    return state_.load(std::memory_order_acquire) == kReady;
  }

 private:
  using State = std::uint32_t;
  static constexpr State kEmpty = 0;
  static constexpr State kMaking = 1;
  static constexpr State kReady = 2;
  static constexpr State kFailed = 3;

  // The address of something of its own tells a thread from all that run.
  static const void* this_thread() noexcept {
    static thread_local constinit char identity = 0;
    return &identity;
  }

  // Returns when the value is made; throws if it cannot be.
  [[gnu::noinline]] void make_or_wait() {
    for (;;) {
      State state = kEmpty;
      if (state_.compare_exchange_strong(state, kMaking, std::memory_order_acquire)) {
        make();
        return;
      }
      if (state == kReady) return;
      if (state == kFailed) std::rethrow_exception(failure);
      VIGIL_CHECK(maker_.load(std::memory_order_relaxed) != this_thread(),
                  "the making of a Lazy asked for the same Lazy");
      state_.wait(kMaking, std::memory_order_acquire);
    }
  }

  void make() {
    maker_.store(this_thread(), std::memory_order_relaxed);
    try {
      ::new (static_cast<void*>(&value)) T(make_());
    } catch (...) {
      if (on_failure_ == OnFailure::kKeep) {
        std::construct_at(&failure, std::current_exception());
        finish(kFailed);
      } else {
        finish(kEmpty);
      }
      throw;
    }
    finish(kReady);
  }
  void finish(State state) noexcept {
    maker_.store(nullptr, std::memory_order_relaxed);
    // release: pairs with the acquires. Sequentially consistent on top, because notify_all() first
    // looks whether anybody sleeps, and that load must not overtake the store.
    state_.store(state, std::memory_order_seq_cst);
    state_.notify_all();
  }

  std::atomic<State> state_{kEmpty};
  std::atomic<const void*> maker_{nullptr};  // the thread in make(), while kMaking
  [[no_unique_address]] Make make_;
  OnFailure on_failure_;
  union {
    char nothing = 0;
    T value;                     // kReady
    std::exception_ptr failure;  // kFailed
  };
};

template <class Make>
Lazy(Make) -> Lazy<std::invoke_result_t<Make&>, Make>;
template <class Make>
Lazy(Make, OnFailure) -> Lazy<std::invoke_result_t<Make&>, Make>;

}  // namespace vigil
