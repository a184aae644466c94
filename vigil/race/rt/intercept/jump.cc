// SPDX-License-Identifier: Apache-2.0
//
// Long jumps leave functions without their ends being seen: setjmp notes the depth of the frames
// beside the jump buffer's address, longjmp puts it back.
//
// setjmp cannot be called from a wrapper, because it must return from its caller's frame: the
// wrappers below keep the arguments, ask for the real function and jump to it.
#include <csetjmp>
#include <cstdint>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/real_function.h"

namespace vigil::race {
namespace {

using SetJump = int (*)(void*);
using LongJump = void (*)(void*, int);

constinit Real<SetJump> real_setjmp("_setjmp");
constinit Real<SetJump> real_sigsetjmp("__sigsetjmp");
constinit Real<LongJump> real_longjmp("longjmp");
constinit Real<LongJump> real_longjmp_chk("__longjmp_chk");

// A newer buffer may push out an older one, whose jumps then leave the frames as they are.
struct Mark {
  const void* buffer;
  void* frames;
};
constexpr unsigned kMarksLog2 = 10;

struct State {
  SpinLock lock;
  Mark marks[1U << kMarksLog2];
};
constinit State state = {};

Mark& place_of(const void* buffer) {
  const auto key = reinterpret_cast<std::uintptr_t>(buffer);
  return state.marks[(key * 0x9E37'79B9'7F4A'7C15) >> (64 - kMarksLog2)];
}

void restore_frames(const void* buffer) {
  void* frames = nullptr;
  {
    const SpinGuard guard(state.lock);
    if (place_of(buffer).buffer == buffer) frames = place_of(buffer).frames;
  }
  if (frames != nullptr) frame_restore(frames);
}

void note_frames(const void* buffer) {
  const SpinGuard guard(state.lock);
  place_of(buffer) = Mark{buffer, frame_mark()};
}

[[noreturn]] void jump(Real<LongJump>& real, void* buffer, int value) {
  restore_frames(buffer);
  real(buffer, value);
  __builtin_trap();
}

}  // namespace

// The part of the wrappers below that is in C++: the address of what they stand for.
VIGIL_INTERCEPTOR SetJump vigil_race_note_setjmp(const void* buffer) {
  note_frames(buffer);
  return real_setjmp.get();
}

VIGIL_INTERCEPTOR SetJump vigil_race_note_sigsetjmp(const void* buffer) {
  note_frames(buffer);
  return real_sigsetjmp.get();
}

// setjmp(buffer) saves the signal mask in BSD's sense only; the C library's is _setjmp.
__asm__(R"(
  .text
  .weak setjmp, _setjmp, __sigsetjmp
  .type setjmp, @function
  .type _setjmp, @function
  .type __sigsetjmp, @function
setjmp:
_setjmp:
  .cfi_startproc
  endbr64
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  call vigil_race_note_setjmp
  popq %rdi
  .cfi_adjust_cfa_offset -8
  jmpq *%rax
  .cfi_endproc
  .size setjmp, . - setjmp
  .size _setjmp, . - _setjmp
__sigsetjmp:
  .cfi_startproc
  endbr64
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call vigil_race_note_sigsetjmp
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  jmpq *%rax
  .cfi_endproc
  .size __sigsetjmp, . - __sigsetjmp
)");

// With names of their own: the headers declare them for arrays of a type that is not spelled here.
VIGIL_INTERCEPTOR void vigil_race_longjmp(void* buffer, int value) __asm__("longjmp");
VIGIL_INTERCEPTOR void vigil_race_longjmp(void* buffer, int value) {
  jump(real_longjmp, buffer, value);
}

VIGIL_INTERCEPTOR void vigil_race_underscore_longjmp(void* buffer, int value) __asm__("_longjmp");
VIGIL_INTERCEPTOR void vigil_race_underscore_longjmp(void* buffer, int value) {
  jump(real_longjmp, buffer, value);
}

VIGIL_INTERCEPTOR void vigil_race_siglongjmp(void* buffer, int value) __asm__("siglongjmp");
VIGIL_INTERCEPTOR void vigil_race_siglongjmp(void* buffer, int value) {
  jump(real_longjmp, buffer, value);
}

VIGIL_INTERCEPTOR void vigil_race_longjmp_chk(void* buffer, int value) __asm__("__longjmp_chk");
VIGIL_INTERCEPTOR void vigil_race_longjmp_chk(void* buffer, int value) {
  jump(real_longjmp_chk, buffer, value);
}

}  // namespace vigil::race
