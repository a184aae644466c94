// SPDX-License-Identifier: Apache-2.0
//
// stdio and the functions of libc that read or write the program's buffers. Streams have their own
// locks, so only the buffers are seen. Context: interceptor.
#include <cstddef>
#include <cstdio>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/real_function.h"

using namespace vigil::race;

namespace {

constinit Real<decltype(&::puts)> real_puts("puts");
constinit Real<decltype(&::fputs)> real_fputs("fputs");
constinit Real<decltype(&::fwrite)> real_fwrite("fwrite");
constinit Real<decltype(&::fread)> real_fread("fread");
constinit Real<decltype(&::fgets)> real_fgets("fgets");

}  // namespace

VIGIL_INTERCEPTOR int puts(const char* text) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(text, raw_length(text) + 1, VIGIL_CALLER_PC);
  return real_puts(text);
}

VIGIL_INTERCEPTOR int fputs(const char* text, std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(text, raw_length(text) + 1, VIGIL_CALLER_PC);
  return real_fputs(text, stream);
}

VIGIL_INTERCEPTOR std::size_t fwrite(const void* buffer, std::size_t size, std::size_t count,
                                     std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(buffer, size * count, VIGIL_CALLER_PC);
  return real_fwrite(buffer, size, count, stream);
}

VIGIL_INTERCEPTOR std::size_t fread(void* buffer, std::size_t size, std::size_t count,
                                    std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const std::size_t got = real_fread(buffer, size, count, stream);
  write_range(buffer, size * got, VIGIL_CALLER_PC);
  return got;
}

VIGIL_INTERCEPTOR char* fgets(char* buffer, int size, std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  char* const line = real_fgets(buffer, size, stream);
  if (line != nullptr) write_range(line, raw_length(line) + 1, VIGIL_CALLER_PC);
  return line;
}
