// SPDX-License-Identifier: Apache-2.0
//
// The program that core_evidence_test looks into: 200 threads, some of them inside maps, each held
// there by the map's own call of a hash function or a comparison. Says "ready" when all are in
// place; then `crowd wait` waits and `crowd abort` aborts.
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace {

constexpr int kThreads = 200;
std::atomic<int> in_place = 0;
thread_local bool stops_inside = false;

[[gnu::noinline]] void stop_here() {
  if (!stops_inside) return;
  in_place.fetch_add(1);
  for (;;) pause();
}

struct Key {
  int number = 0;
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    stop_here();
    return static_cast<std::size_t>(key.number);
  }
};

struct KeyLess {
  bool operator()(const Key& a, const Key& b) const {
    stop_here();
    return a.number < b.number;
  }
};

}  // namespace

namespace shop {

struct Server {
  long requests = 0;
  std::unordered_map<Key, int, KeyHash> prices;
};

Server server;
std::unordered_map<Key, int, KeyHash> rates;

class Cache {
 public:
  Cache() { entries_[{1}] = 1; }
  [[gnu::noinline]] int get(int number) {
    const auto found = entries_.find({number});
    return found == entries_.end() ? 0 : found->second;
  }
  [[gnu::noinline]] void evict(int number) {
    entries_.erase({number});
    ++evictions_;
  }

 private:
  long evictions_ = 0;
  std::map<Key, int, KeyLess> entries_;
};

[[gnu::noinline]] void set_price(int number) {
  server.prices[{number}] = number;
  asm volatile("");
}
[[gnu::noinline]] int price(int number) {
  const auto found = server.prices.find({number});
  return found == server.prices.end() ? 0 : found->second;
}
[[gnu::noinline]] bool has_rate(int number) {
  const bool found = rates.find({number}) != rates.end();
  asm volatile("");
  return found;
}

}  // namespace shop

int main(int argc, char** argv) {
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);  // where only parents may trace
  static std::mutex held;
  held.lock();
  auto* cache = new shop::Cache;
  for (int i = 0; i < 100; ++i) shop::rates[{i}] = i;
  for (int i = 0; i < 100; ++i) shop::server.prices[{i}] = i;
  std::vector<std::thread> threads;
  const auto start = [&](auto work) {
    threads.emplace_back([work] {
      stops_inside = true;
      work();
    });
  };
  start([] { shop::set_price(1); });
  start([] { shop::set_price(2); });
  start([] { shop::price(3); });
  start([cache] { cache->get(4); });
  start([cache] { cache->evict(5); });
  start([] { shop::has_rate(6); });
  start([] { shop::has_rate(7); });
  while (threads.size() + 1 < kThreads) {
    threads.emplace_back([] {
      in_place.fetch_add(1);
      const std::lock_guard lock(held);
    });
  }
  while (in_place.load() + 1 < kThreads) usleep(1000);
  std::puts("ready");
  std::fflush(stdout);
  if (argc > 1 && std::strcmp(argv[1], "abort") == 0) std::abort();
  for (;;) pause();
}
