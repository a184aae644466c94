// SPDX-License-Identifier: Apache-2.0
//
// Two pools of one connection each, taken in opposite orders through semaphores: a deadlock that no
// lock-order tool for mutexes can see.
//
// EXPECT: deadlock | lost wake-up
// EXPECT-FRAME: read_and_log | log_and_read
#include <semaphore>
#include <thread>

namespace {

std::binary_semaphore database(1);
std::binary_semaphore log_file(1);

void read_and_log() {
  database.acquire();
  log_file.acquire();
  log_file.release();
  database.release();
}

void log_and_read() {
#ifdef FIXED
  read_and_log();
#else
  log_file.acquire();
  database.acquire();
  database.release();
  log_file.release();
#endif
}

}  // namespace

int main() {
  const std::jthread first(read_and_log);
  const std::jthread second(log_and_read);
}
