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
// from one started before main. The first get() makes the value; others wait for it, asleep. A
// const Lazy makes its value too, and shows it as const.
//
// A T that is a reference is what the maker returned a reference to; the Lazy does not own it.
//
// set() gives the value instead of the maker, if it comes first: for a value that the program knows
// only after it has started, with a maker that says what to do without it.
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
//   vigil::Lazy limit([] { return 100; });
//   assert(limit.set(250) && !limit.set(300));  // the first one counts
//   assert(limit.get() == 250);
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/exceptions.h"

namespace vigil {

enum class OnFailure : std::uint8_t { kRetry, kKeep };

template <class T, class Make = T (*)()>
class Lazy {
  static constexpr bool kRefers = std::is_reference_v<T>;
  static_assert(!std::is_rvalue_reference_v<T>, "a Lazy cannot keep what an rvalue refers to");
  using Object = std::remove_reference_t<T>;
  using Stored = std::conditional_t<kRefers, Object*, Object>;

 public:
  constexpr explicit Lazy(Make maker, OnFailure on_failure = OnFailure::kRetry) noexcept
      : make_(std::move(maker)), on_failure_(on_failure) {}
  // REQUIRES: no other thread uses the value.
  ~Lazy() {
    const State state = state_.load(std::memory_order_acquire);
    if (state == kReady) std::destroy_at(&stored);
    if (state == kFailed) std::destroy_at(&failure);
  }
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  [[nodiscard]] Object& get() { return made(); }
  [[nodiscard]] const Object& get() const { return made(); }
  [[nodiscard]] Object& operator*() { return get(); }
  [[nodiscard]] const Object& operator*() const { return get(); }
  [[nodiscard]] Object* operator->() { return &get(); }
  [[nodiscard]] const Object* operator->() const { return &get(); }

  // Makes the value of `from` unless it has been made; returns whether it did. Waits for a maker
  // that runs.
  template <class From = Object>
  bool set(From&& from) requires(!kRefers) {
    const auto maker = [&]() -> Object { return Object(std::forward<From>(from)); };
    return make_unless_made(maker, OnFailure::kRetry);
  }
  bool set(Object& object) requires kRefers {
    const auto maker = [&]() -> Object& { return object; };
    return make_unless_made(maker, OnFailure::kRetry);
  }

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

  [[nodiscard, gnu::always_inline]] inline Object& made() const {
    // acquire: pairs with the release in finish(), so the value is seen as it was made.
    if (state_.load(std::memory_order_acquire) != kReady) [[unlikely]]
      make_unless_made(make_, on_failure_);
    if constexpr (kRefers) {
      return *stored;
    } else {
      return stored;
    }
  }

  // Returns when the value is made, and whether this call did; throws if it cannot be.
  template <class Maker>
  [[gnu::noinline]] bool make_unless_made(Maker& maker, OnFailure on_failure) const {
    for (;;) {
      State state = kEmpty;
      if (state_.compare_exchange_strong(state, kMaking, std::memory_order_acquire)) {
        make(maker, on_failure);
        return true;
      }
      if (state == kReady) return false;
      if (state == kFailed) std::rethrow_exception(failure);
      VIGIL_CHECK(maker_.load(std::memory_order_relaxed) != this_thread(),
                  "the making of a Lazy asked for the same Lazy");
      state_.wait(kMaking, std::memory_order_acquire);
    }
  }

  template <class Maker>
  void make(Maker& maker, OnFailure on_failure) const {
    maker_.store(this_thread(), std::memory_order_relaxed);
    Finishing finishing{*this};
    if (on_failure == OnFailure::kKeep) {
      if (std::exception_ptr thrown = exception_of([&] { store(maker); }); thrown != nullptr) {
        std::construct_at(&failure, thrown);
        finishing.state = kFailed;
        std::rethrow_exception(std::move(thrown));
      }
    } else {
      store(maker);
    }
    finishing.state = kReady;
  }
  template <class Maker>
  void store(Maker& maker) const {
    if constexpr (kRefers) {
      stored = &maker();
    } else {
      ::new (static_cast<void*>(&stored)) Object(maker());
    }
  }
  // Ends the making, also if that threw.
  struct Finishing {
    ~Finishing() { lazy.finish(state); }
    const Lazy& lazy;
    State state = kEmpty;
  };
  void finish(State state) const noexcept {
    maker_.store(nullptr, std::memory_order_relaxed);
    // release: pairs with the acquires. Sequentially consistent on top, because notify_all() first
    // looks whether anybody sleeps, and that load must not overtake the store.
    state_.store(state, std::memory_order_seq_cst);
    state_.notify_all();
  }

  mutable std::atomic<State> state_{kEmpty};
  mutable std::atomic<const void*> maker_{nullptr};  // the thread in make(), while kMaking
  [[no_unique_address]] mutable Make make_;
  OnFailure on_failure_;
  union {
    char nothing = 0;
    mutable Stored stored;               // kReady
    mutable std::exception_ptr failure;  // kFailed
  };
};

template <class Make>
Lazy(Make) -> Lazy<std::invoke_result_t<Make&>, Make>;
template <class Make>
Lazy(Make, OnFailure) -> Lazy<std::invoke_result_t<Make&>, Make>;

}  // namespace vigil
