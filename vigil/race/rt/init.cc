// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/init.h"

#include <cstdio>

#include "vigil/race/rt/controlled.h"
#include "vigil/race/rt/detector.h"
#include "vigil/race/rt/intercept_pthread_thread.h"
#include "vigil/race/rt/intercept_signal.h"
#include "vigil/race/rt/options.h"
#include "vigil/race/rt/raw_syscall.h"
#include "vigil/race/rt/records.h"
#include "vigil/race/rt/shadow.h"
#include "vigil/race/rt/sync.h"
#include "vigil/race/rt/threads.h"

namespace vigil::race {

bool init_internal::started = false;

// In this order: each step may use those before it.
void init_internal::start() {
  started = true;
  read_options();
  records_init();
  shadow_init();
  sync_init();
  if (options().mode == Mode::kControlled) controlled_init();
  threads_init();
  pthread_init();
  signals_init();
}

namespace {

[[gnu::constructor(101)]] void start_with_the_program() { ensure_started(); }

// Runs after the program's own handlers and destructors.
[[gnu::destructor(101)]] void end_with_the_program() {
  const int code = finish_process(0);
  if (code == 0) return;
  std::fflush(nullptr);
  raw_syscall(SYS_exit_group, code);
}

}  // namespace
}  // namespace vigil::race
