// SPDX-License-Identifier: Apache-2.0
//
// ThreadStack: the call stack of this thread, or of another thread of the process as it is now.
//
// Another thread is asked by a signal (SIGURG, which programs ignore by default and Go uses for the
// same purpose); its handler unwinds the thread it interrupted and answers. A thread that does not
// answer within kPatience_ms (it blocks the signal, is stopped or starved) is given up; the answer
// that comes too late is dropped.
//
// The handler uses _Unwind_Backtrace, which since GCC 12 with glibc 2.35 finds unwind tables
// without a lock or an allocation (_dl_find_object), and futex; errno is preserved. It is installed
// by the first request and hands signals that are not ours to the handler that was there before.
//
// Thread safety: any thread may ask; one request at a time (REQUIRES below).
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <span>

namespace vigil::maps::internal {

class ThreadStack {
 public:
  static constexpr std::uint32_t kFramesMax = 64;
  static constexpr std::int64_t kPatience_ms = 200;

  // Addresses inside the call instructions, innermost first.
  [[nodiscard]] std::span<const std::uintptr_t> frames() const noexcept {
    return {frames_.data(), count_};
  }

  // The stack of the caller.
  [[gnu::noinline]] void take_own() noexcept;

  enum class Answer : std::uint8_t { kTaken, kEnded, kSilent };
  // The stack of thread `thread` of this process. REQUIRES: no other thread is asking.
  Answer take_of(pid_t thread) noexcept;

  void clear() noexcept { count_ = 0; }
  void push(std::uintptr_t address) noexcept {
    if (count_ < kFramesMax) frames_[count_++] = address;
  }

 private:
  std::array<std::uintptr_t, kFramesMax> frames_{};
  std::uint32_t count_ = 0;
};

// The kernel's id of this thread, cached.
class ThisThread {
 public:
  [[nodiscard]] static pid_t id() noexcept {
    if (id_ == 0) [[unlikely]]
      ask_kernel();
    return id_;
  }

  // 0 until id() was called on this thread.
  [[nodiscard]] static std::uint64_t id_if_known() noexcept {
    return static_cast<std::uint64_t>(id_);
  }

 private:
  [[gnu::cold]] static void ask_kernel() noexcept;
  static inline thread_local constinit pid_t id_ = 0;
};

}  // namespace vigil::maps::internal
