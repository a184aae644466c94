// SPDX-License-Identifier: Apache-2.0
//
// The hooks of sanitizer/linux_syscall_hooks.h that name a buffer or a descriptor: programs that
// make system calls themselves tell the sanitizers by them what libc's functions would have told.
// Context: the program's own code.
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/descriptors.h"

using namespace vigil::race;

extern "C" {

void __sanitizer_syscall_pre_impl_read(long, long, long) {}
void __sanitizer_syscall_post_impl_read(long result, long descriptor, long buffer, long) {
  if (result < 0) return;
  descriptor_read(static_cast<int>(descriptor), VIGIL_CALLER_PC);
  write_range(reinterpret_cast<void*>(buffer), static_cast<std::size_t>(result), VIGIL_CALLER_PC);
}

void __sanitizer_syscall_pre_impl_write(long descriptor, long buffer, long size) {
  read_range(reinterpret_cast<void*>(buffer), static_cast<std::size_t>(size), VIGIL_CALLER_PC);
  descriptor_writing(static_cast<int>(descriptor), VIGIL_CALLER_PC);
}
void __sanitizer_syscall_post_impl_write(long, long, long, long) {}

void __sanitizer_syscall_pre_impl_close(long descriptor) {
  descriptor_closing(static_cast<int>(descriptor), VIGIL_CALLER_PC);
}
void __sanitizer_syscall_post_impl_close(long, long) {}

void __sanitizer_syscall_pre_impl_pipe(long) {}
void __sanitizer_syscall_post_impl_pipe(long result, long descriptors) {
  if (result != 0) return;
  const int* const ends = reinterpret_cast<const int*>(descriptors);
  descriptors_opened(ends[0], ends[1], DescriptorKind::kPipe, VIGIL_CALLER_PC);
  write_range(ends, 2 * sizeof(int), VIGIL_CALLER_PC);
}

void __sanitizer_syscall_pre_impl_fork() { before_fork(); }
void __sanitizer_syscall_post_impl_fork(long result) {
  if (result == 0) {
    after_fork_in_child();
  } else {
    after_fork();
  }
}

}  // extern "C"
