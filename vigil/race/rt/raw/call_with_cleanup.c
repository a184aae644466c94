/* SPDX-License-Identifier: Apache-2.0
 *
 * Built with -fexceptions: the cleanup attribute then holds on unwinding too, by libgcc's own
 * personality routine.
 */
#include "vigil/race/rt/raw/call_with_cleanup.h"

struct Cleanup {
  void (*run)(void*, int);
  void* argument;
  int completed;
};

static void run_cleanup(struct Cleanup* cleanup) {
  cleanup->run(cleanup->argument, cleanup->completed);
}

void vigil_race_call_with_cleanup(void (*call)(void*), void (*cleanup)(void*, int),
                                  void* argument) {
  struct Cleanup at_end __attribute__((cleanup(run_cleanup))) = {cleanup, argument, 0};
  call(argument);
  at_end.completed = 1;
}
