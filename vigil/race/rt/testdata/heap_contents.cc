// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// The heap keeps contents and alignment over all sizes, threads and functions.
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_aligned(const void* block, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

void check_reallocation() {
  auto* text = static_cast<char*>(std::calloc(1, 8));
  std::size_t size = 8;
  for (; size < (1 << 21); size *= 2) {
    for (std::size_t index = 0; index < size; index += 97) text[index] = static_cast<char>(index);
    text = static_cast<char*>(std::realloc(text, size * 2));
    for (std::size_t index = 0; index < size; index += 97) {
      require(text[index] == static_cast<char>(index));
    }
    require(malloc_usable_size(text) >= size * 2);
  }
  std::free(text);
}

void check_alignment() {
  for (std::size_t alignment = 16; alignment <= 1 << 20; alignment *= 2) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{200'000}}) {
      void* block = nullptr;
      require(posix_memalign(&block, alignment, size) == 0 && is_aligned(block, alignment));
      std::memset(block, 1, size);
      std::free(block);
      block = ::operator new (size, std::align_val_t{alignment});
      require(is_aligned(block, alignment));
      ::operator delete (block, std::align_val_t{alignment});
    }
  }
}

void check_zeroes() {
  for (int round = 0; round < 50; ++round) {
    for (const std::size_t size : {std::size_t{24}, std::size_t{5000}, std::size_t{300'000}}) {
      auto* const block = static_cast<unsigned char*>(std::calloc(size, 1));
      for (std::size_t index = 0; index < size; index += 31) require(block[index] == 0);
      std::memset(block, 0xff, size);
      std::free(block);
    }
  }
}

}  // namespace

int main() {
  const auto check = [] {
    check_reallocation();
    check_alignment();
    check_zeroes();
  };
  check();
  std::vector<std::thread> threads;
  for (int count = 0; count < 3; ++count) threads.emplace_back(check);
  for (std::thread& thread : threads) thread.join();
  void* volatile huge = std::malloc(static_cast<std::size_t>(PTRDIFF_MAX) - 1);
  require(huge == nullptr);
}
