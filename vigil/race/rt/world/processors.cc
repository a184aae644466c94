// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/processors.h"

#include <algorithm>
#include <cerrno>

#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {
namespace {

constexpr std::size_t kWords = sizeof(cpu_set_t) / sizeof(__cpu_mask);

struct Chosen {
  bool by_program;
  cpu_set_t set;
};

struct State {
  cpu_set_t of_process;
  Chosen of_task[kTasksMax];
};
constinit State state = {};

}  // namespace

void processors_init() {
  raw_syscall(SYS_sched_getaffinity, 0, sizeof state.of_process, &state.of_process);
  const std::uint32_t chosen = options().processor;
  if (options().mode != Mode::kControlled || chosen >= CPU_SETSIZE) return;
  cpu_set_t one = {};
  CPU_SET(chosen, &one);
  raw_syscall(SYS_sched_setaffinity, 0, sizeof one, &one);
}

std::uint32_t task_with_processors(std::int32_t kernel_thread) {
  if (controlled_task() == kNoTask) return kNoTask;
  return kernel_thread == 0 ? controlled_task() : task_of_kernel_thread(kernel_thread);
}

int get_processors(std::uint32_t task, std::size_t size, cpu_set_t* set) {
  const Chosen& chosen = state.of_task[task];
  const cpu_set_t& known = chosen.by_program ? chosen.set : state.of_process;
  if (size % sizeof(__cpu_mask) != 0) return EINVAL;
  for (std::size_t byte = size; byte < sizeof known; ++byte) {
    if (reinterpret_cast<const char*>(&known)[byte] != 0) return EINVAL;
  }
  raw_fill(set, 0, size);
  raw_move(set, &known, std::min(size, sizeof known));
  return 0;
}

int set_processors(std::uint32_t task, std::size_t size, const cpu_set_t* wanted) {
  cpu_set_t usable = {};
  raw_move(&usable, wanted, std::min(size, sizeof usable));
  bool any = false;
  for (std::size_t word = 0; word < kWords; ++word) {
    usable.__bits[word] &= state.of_process.__bits[word];
    any |= usable.__bits[word] != 0;
  }
  if (!any) return EINVAL;
  state.of_task[task] = Chosen{true, usable};
  return 0;
}

}  // namespace vigil::race
