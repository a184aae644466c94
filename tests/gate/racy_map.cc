// SPDX-License-Identifier: Apache-2.0
//
// A cache with a bug or without, for the gate's tests: compiled with ThreadSanitizer.
//
//   racy_map read-write|write-write|both|clean|fail
//
// The two accesses are ordered by a relaxed flag, which gives no happens-before: the detector sees
// the race in every run, and the program never crashes.
#include <atomic>
#include <cstdio>
#include <string_view>
#include <thread>

namespace {

class UserCache {
 public:
  [[gnu::noinline]] int get() const { return value_; }
  [[gnu::noinline]] void put(int value) { value_ = value; }
  [[gnu::noinline]] void clean_expired() { value_ = 0; }

 private:
  int value_ = 0;
};

template <class First, class Second>
void race(First first, Second second) {
  std::atomic<bool> first_is_done = false;
  std::thread cleaner([&] {
    first();
    first_is_done.store(true, std::memory_order_relaxed);
  });
  while (!first_is_done.load(std::memory_order_relaxed)) std::this_thread::yield();
  second();
  cleaner.join();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "clean";
  UserCache cache;
  UserCache other;  // ThreadSanitizer reports an address once
  std::puts("serving");
  if (mode == "read-write" || mode == "both") {
    race([&] { cache.clean_expired(); }, [&] { std::printf("%d\n", cache.get()); });
  }
  if (mode == "write-write" || mode == "both") {
    race([&] { other.clean_expired(); }, [&] { other.put(7); });
  }
  return mode == "fail" ? 3 : 0;
}
