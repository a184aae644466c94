// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/mapped_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vigil::stacks {

MappedMemory::~MappedMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

MappedMemory MappedMemory::zeroed(std::size_t size) {
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return {};
  return {data, size};
}

MappedMemory MappedMemory::of_file(const char* path) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  struct stat facts;
  void* data = MAP_FAILED;
  if (fstat(descriptor, &facts) == 0 && facts.st_size > 0) {
    data = mmap(nullptr, static_cast<std::size_t>(facts.st_size), PROT_READ, MAP_PRIVATE,
                descriptor, 0);
  }
  close(descriptor);
  if (data == MAP_FAILED) return {};
  return {data, static_cast<std::size_t>(facts.st_size)};
}

}  // namespace vigil::stacks
