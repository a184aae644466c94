// SPDX-License-Identifier: Apache-2.0
//
// A thread unlocks what another one holds: the lock then keeps nobody out.
//
// EXPECT: lock misuse
// EXPECT-FRAME: finish
// RUN: --schedules 3
#include <pthread.h>

#include <thread>

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void finish() { pthread_mutex_unlock(&mutex); }

}  // namespace

int main() {
  std::thread([] {
    pthread_mutex_lock(&mutex);
#ifdef FIXED
    finish();
#endif
  }).join();
#ifndef FIXED
  finish();
#endif
}
