// SPDX-License-Identifier: Apache-2.0
//
// MappedMemory: pages from the kernel, for code that may not use the heap.
//
// Context: signal. Thread safety: none.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace vigil::stacks {

class MappedMemory {
 public:
  MappedMemory() = default;
  ~MappedMemory();
  MappedMemory(MappedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedMemory& operator=(MappedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // Zeroed pages, given memory when they are touched. Empty if the kernel refuses.
  static MappedMemory zeroed(std::size_t size);
  // A file, read only. Empty if it cannot be opened.
  static MappedMemory of_file(const char* path);

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedMemory(void* data, std::size_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace vigil::stacks
