// SPDX-License-Identifier: Apache-2.0
//
// One of each thing that lets threads meet. Prints what happened in an order that depends on the
// schedule, so that equal seeds must give equal output, byte for byte.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <future>
#include <latch>
#include <mutex>
#include <random>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/races/require.h"

namespace {

using namespace std::chrono_literals;

std::mutex log_mutex;
std::string log_text;

void log(const std::string& line) {
  const std::lock_guard guard(log_mutex);
  log_text += line + "\n";
}

struct AtThreadEnd {
  explicit AtThreadEnd(int number) : number_(number) {}
  ~AtThreadEnd() { log("end of " + std::to_string(number_)); }

 private:
  int number_;
};

void thread_locals_once_and_latch() {
  static std::once_flag once;
  std::latch ready(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([i, &ready] {
      thread_local const AtThreadEnd at_end(i);
      std::call_once(once, [i] { log("once by " + std::to_string(i)); });
      ready.arrive_and_wait();
      log("latch passed by " + std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void atomic_wait_and_futures() {
  std::atomic<int> turn = 0;
  std::counting_semaphore<4> permits(2);
  std::vector<std::future<int>> results;
  for (int i = 0; i < 4; ++i) {
    results.push_back(std::async(std::launch::async, [i, &turn, &permits] {
      permits.acquire();
      const int before = turn.fetch_add(1);
      turn.notify_all();
      permits.release();
      return before * 10 + i;
    }));
  }
  for (int seen = turn.load(); seen < 4; seen = turn.load()) turn.wait(seen);
  for (std::future<int>& result : results) log("future " + std::to_string(result.get()));
}

void shared_mutex_and_condition() {
  std::shared_mutex table;
  std::mutex mutex;
  std::condition_variable changed;
  int version = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      const std::shared_lock guard(table);
      log("reader " + std::to_string(i));
    });
    threads.emplace_back([&, i] {
      {
        const std::unique_lock guard(table);
        log("writer " + std::to_string(i));
      }
      const std::lock_guard guard(mutex);
      ++version;
      changed.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    const bool in_time = changed.wait_for(lock, 5s, [&] { return version == 2; });
    log(in_time ? "both versions" : "timed out at version " + std::to_string(version));
  }
  for (std::thread& thread : threads) thread.join();
}

void timers() {
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  itimerspec setting = {};
  setting.it_value.tv_sec = 10;
  setting.it_interval.tv_sec = 10;
  timerfd_settime(timer, 0, &setting, nullptr);
  std::thread sleeper([] {
    std::this_thread::sleep_for(25s);
    log("25 s are over");
  });
  for (int i = 0; i < 3; ++i) {
    std::uint64_t expirations = 0;
    if (read(timer, &expirations, sizeof expirations) < 0) log("read failed");
    log("timer " + std::to_string(expirations));
  }
  sleeper.join();
  close(timer);
}

int listen_on_loopback(sockaddr_in* address) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(bind(listener, reinterpret_cast<sockaddr*>(address), sizeof *address) == 0, "bind");
  socklen_t size = sizeof *address;
  getsockname(listener, reinterpret_cast<sockaddr*>(address), &size);
  listen(listener, 8);
  return listener;
}

void serve(int listener, int connections) {
  for (int i = 0; i < connections; ++i) {
    const int connection = accept(listener, nullptr, nullptr);
    char name = 0;
    if (recv(connection, &name, 1, 0) == 1) log(std::string("served ") + name);
    send(connection, &name, 1, 0);
    close(connection);
  }
}

void sockets() {
  sockaddr_in address;
  const int listener = listen_on_loopback(&address);
  std::thread server([&] { serve(listener, 3); });
  std::vector<std::thread> clients;
  for (char name = 'a'; name < 'd'; ++name) {
    clients.emplace_back([&, name] {
      const int connection = socket(AF_INET, SOCK_STREAM, 0);
      const auto* const peer = reinterpret_cast<const sockaddr*>(&address);
      require(connect(connection, peer, sizeof address) == 0, "connect");
      send(connection, &name, 1, 0);
      char answer = 0;
      if (recv(connection, &answer, 1, 0) == 1) log(std::string("answer for ") + answer);
      close(connection);
    });
  }
  for (std::thread& client : clients) client.join();
  server.join();
  close(listener);
}

void processes() {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return;
  const pid_t child = fork();
  if (child == 0) {
    std::thread inner([&] {
      const char byte = 'x';
      if (write(pipe_ends[1], &byte, 1) != 1) _exit(1);
    });
    inner.join();
    _exit(7);
  }
  int status = 0;
  waitpid(child, &status, 0);
  char byte = 0;
  if (read(pipe_ends[0], &byte, 1) == 1) log("child wrote " + std::string(1, byte));
  log("child ended with " + std::to_string(WEXITSTATUS(status)));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace

int main() {
  thread_locals_once_and_latch();
  atomic_wait_and_futures();
  shared_mutex_and_condition();
  timers();
  sockets();
  processes();
  log("random " + std::to_string(std::random_device{}()));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  log("time " + std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
  std::fputs(log_text.c_str(), stdout);
}
