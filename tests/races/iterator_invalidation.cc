// SPDX-License-Identifier: Apache-2.0
//
// The cleaner erases entries while a report iterates over the same map.
//
// EXPECT: race | use-after-free
// EXPECT-FRAME: clean | total
#include <map>
#include <mutex>
#include <thread>

namespace {

std::map<int, int> orders = {{1, 10}, {2, 20}, {3, 30}};
std::mutex orders_mutex;

int total() {
#ifdef FIXED
  const std::lock_guard lock(orders_mutex);
#endif
  int sum = 0;
  for (const auto& [id, amount] : orders) sum += amount;
  return sum;
}

void clean() {
  const std::lock_guard lock(orders_mutex);
  orders.erase(2);
}

}  // namespace

int main() {
  const std::jthread report(total);
  const std::jthread cleaner(clean);
}
