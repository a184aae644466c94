// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// Every atomic operation of every size does what it says.
#include <cstdint>
#include <cstdlib>
#include <thread>

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void check_operations() {
  constexpr int kOrder = __ATOMIC_SEQ_CST;
  alignas(16) static T value = 12;
  require(__atomic_load_n(&value, __ATOMIC_ACQUIRE) == 12);
  __atomic_store_n(&value, T{10}, __ATOMIC_RELEASE);
  require(__atomic_exchange_n(&value, T{9}, kOrder) == 10);
  require(__atomic_fetch_add(&value, T{3}, kOrder) == 9);
  require(__atomic_fetch_sub(&value, T{2}, __ATOMIC_RELAXED) == 12);
  require(__atomic_fetch_or(&value, T{5}, kOrder) == 10);
  require(__atomic_fetch_and(&value, T{6}, kOrder) == 15);
  require(__atomic_fetch_xor(&value, T{3}, kOrder) == 6);
  require(__atomic_fetch_nand(&value, T{4}, kOrder) == 5);
  require(__atomic_load_n(&value, kOrder) == static_cast<T>(~T{4}));
  T expected{1};
  require(!__atomic_compare_exchange_n(&value, &expected, T{2}, false, kOrder, kOrder));
  require(expected == static_cast<T>(~T{4}));
  while (!__atomic_compare_exchange_n(&value, &expected, T{2}, true, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
  require(__atomic_load_n(&value, __ATOMIC_RELAXED) == 2);
}

}  // namespace

int main() {
  std::thread([] {
    check_operations<std::uint8_t>();
    check_operations<std::uint16_t>();
    check_operations<std::uint32_t>();
    check_operations<std::uint64_t>();
    check_operations<unsigned __int128>();
  }).join();
}
