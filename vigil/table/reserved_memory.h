// SPDX-License-Identifier: Apache-2.0
//
// ReservedMemory: one large range of address space whose pages come and go, but whose addresses
// stay mapped until the object dies.
//
// Use when: a structure grows in place, and readers without locks may still look at memory that a
// writer gave up: such a reader finds old bytes or zeros, never a fault. Use instead: operator new
// for anything that nobody reads late.
//
// Pages are zero when first touched and after discard(). Nothing is counted against memory before
// it is touched (MAP_NORESERVE); where the kernel forbids overcommitment (vm.overcommit_memory=2)
// reserve() fails with an error that says so.
//
// Thread safety: data() and size() are constant; discard() may run beside readers (atomic loads)
// of the same pages; the caller keeps writers of those pages away.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/result.h"

namespace vigil::table {

class ReservedMemory {
 public:
  static constexpr std::size_t kAlignment = std::size_t{2} << 20;  // a page table of its own

  // Reserves `bytes`, rounded up to a multiple of kAlignment and aligned to it. REQUIRES: bytes >
  // 0.
  static Result<ReservedMemory> reserve(std::size_t bytes) {
    VIGIL_CHECK(bytes > 0, "a reservation needs at least one byte");
    const std::size_t size = round_up(bytes);
    // Beside the last one, if that is aligned: the system then keeps both as one mapping, of which
    // a process may have 65,530.
    void* raw = size < bytes ? MAP_FAILED : map(size);
    if (raw != MAP_FAILED && address(static_cast<char*>(raw)) % kAlignment == 0) {
      return ReservedMemory(static_cast<char*>(raw), size);
    }
    if (raw != MAP_FAILED) {
      unmap(static_cast<char*>(raw), size);
      // One alignment more than needed, so that an aligned range of `size` bytes lies inside.
      raw = map(size + kAlignment);
    }
    if (raw == MAP_FAILED) {
      return Error{"cannot reserve " + std::to_string(bytes >> 20) +
                   " MiB of address space: " + std::strerror(errno) +
                   "; check ulimit -v and that vm.overcommit_memory is not 2"};
    }
    char* begin = static_cast<char*>(raw);
    char* data = begin + (round_up(address(begin)) - address(begin));
    unmap(begin, static_cast<std::size_t>(data - begin));
    unmap(data + size, static_cast<std::size_t>(begin + kAlignment - data));
    return ReservedMemory(data, size);
  }

  // An empty reservation.
  ReservedMemory() = default;
  ReservedMemory(ReservedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  ReservedMemory& operator=(ReservedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~ReservedMemory() { unmap(data_, size_); }

  [[nodiscard]] char* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // Makes the pages that [offset, offset + bytes) touches present, in one system call; what they
  // hold stays. A kernel without this call (before Linux 5.14) or without memory leaves them to be
  // made present by their first touch. REQUIRES: the range lies inside the reservation.
  void populate(std::size_t offset, std::size_t bytes) noexcept {
    VIGIL_CHECK(offset <= size_ && bytes <= size_ - offset,
                "populate() was given a range outside of the reservation");
    constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which older C libraries do not name
    const std::size_t first = offset & ~(page_size() - 1);
    madvise(data_ + first, offset + bytes - first, kPopulateWrite);
  }

  // Gives the whole pages inside [offset, offset + bytes) back to the system; they read as zeros
  // from then on and may be written again. REQUIRES: the range lies inside the reservation.
  void discard(std::size_t offset, std::size_t bytes) noexcept {
    VIGIL_CHECK(offset <= size_ && bytes <= size_ - offset,
                "discard() was given a range outside of the reservation");
    const std::size_t page = page_size();
    const std::size_t first = (offset + page - 1) & ~(page - 1);
    const std::size_t last = (offset + bytes) & ~(page - 1);
    if (first >= last) return;
    VIGIL_CHECK(madvise(data_ + first, last - first, MADV_DONTNEED) == 0,
                "madvise(MADV_DONTNEED) failed; are the pages locked in memory (mlock)?");
  }

 private:
  ReservedMemory(char* data, std::size_t size) : data_(data), size_(size) {}

  static std::uintptr_t address(const char* p) { return reinterpret_cast<std::uintptr_t>(p); }
  static constexpr std::size_t round_up(std::size_t bytes) {
    return (bytes + kAlignment - 1) & ~(kAlignment - 1);
  }
  static std::size_t page_size() noexcept {
    static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
  }
  static void* map(std::size_t bytes) {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
  }
  static void unmap(char* data, std::size_t bytes) noexcept {
    if (bytes != 0) munmap(data, bytes);
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace vigil::table
