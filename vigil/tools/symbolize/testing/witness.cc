// SPDX-License-Identifier: Apache-2.0
//
// The program that symbolizer_test compiles in many ways. It prints where it is loaded and the
// addresses that the test then asks about.
#include <link.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <vector>

static std::vector<std::uintptr_t> return_addresses;

[[gnu::noinline]] void remember() {
  return_addresses.push_back(reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)));
}

// After the last call of a function: its return address then lies inside that function.
inline void no_tail_call() { asm volatile(""); }

namespace shop {

struct Shelf {
  long number = 0;
  std::map<int, char> prices;
};

struct Warehouse {
  long open = 0;
  Shelf shelves[3];
};

Warehouse warehouse;

class Cache {
 public:
  [[gnu::always_inline]] void touch(int key) {
    remember();  // marker: inside touch
    last_ = key;
  }

  template <class Key>
  [[gnu::noinline]] void update(Key key) {
    touch(key);  // marker: inside update
    last_ = last_ + 1;
  }

 private:
  int last_ = 0;
};

}  // namespace shop

namespace {

[[gnu::noinline]] void visit(shop::Cache* cache) {
  auto step = [cache](int key) __attribute__((noinline)) {
    cache->update(key);  // marker: inside lambda
    remember();          // marker: end of lambda
    no_tail_call();
  };
  step(1);
  remember();  // marker: end of visit
  no_tail_call();
}

int print_module(dl_phdr_info* info, std::size_t, void*) {
  std::uintptr_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD) end = info->dlpi_addr + segment.p_vaddr + segment.p_memsz;
  }
  const std::uintptr_t begin = info->dlpi_addr == 0 ? 0x400000 : info->dlpi_addr;
  std::printf("module %zx %zx %zx %s\n", begin, end, static_cast<std::uintptr_t>(info->dlpi_addr),
              info->dlpi_name);
  return 0;
}

}  // namespace

int main() {
  shop::Cache cache;
  visit(&cache);
  dl_iterate_phdr(print_module, nullptr);
  for (const std::uintptr_t address : return_addresses) std::printf("return %zx\n", address);
  std::printf("data %zx\n", reinterpret_cast<std::uintptr_t>(&shop::warehouse.shelves[2].prices));
}
