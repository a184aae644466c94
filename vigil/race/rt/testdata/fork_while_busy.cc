// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// Children of a fork amid locking and allocating threads can lock, allocate and start threads;
// the program's own fork handlers can lock and allocate, too.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace {

std::mutex mutex;
long shared;

void add() {
  const std::lock_guard lock(mutex);
  ++shared;
  std::free(std::malloc(static_cast<std::size_t>(shared % 300)));
}

void prepare() {
  mutex.lock();
  std::free(std::malloc(100));
}
void finish() {
  mutex.unlock();
  std::free(std::malloc(100));
}

bool child_works() {
  const pid_t child = fork();
  if (child == 0) {
    add();
    std::thread(add).join();
    _exit(7);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

}  // namespace

int main() {
  pthread_atfork(prepare, finish, finish);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int count = 0; count < 3; ++count) {
    threads.emplace_back([&stop] {
      while (!stop) add();
    });
  }
  bool all_work = true;
  for (int count = 0; count < 20; ++count) all_work = child_works() && all_work;
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return all_work ? 0 : 1;
}
