// SPDX-License-Identifier: Apache-2.0
//
// stdio and the functions of libc that read or write the program's buffers. Streams have their own
// locks, so only the buffers are seen. Context: interceptor.
#include <dirent.h>

#include <cstddef>
#include <cstdio>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"

using namespace vigil::race;

namespace {

constinit Real<decltype(&::puts)> real_puts("puts");
constinit Real<decltype(&::fputs)> real_fputs("fputs");
constinit Real<decltype(&::fwrite)> real_fwrite("fwrite");
constinit Real<decltype(&::fread)> real_fread("fread");
constinit Real<decltype(&::fgets)> real_fgets("fgets");
constinit Real<decltype(&::fopen)> real_fopen("fopen");
constinit Real<decltype(&::fopen64)> real_fopen64("fopen64");
constinit Real<decltype(&::freopen)> real_freopen("freopen");
constinit Real<decltype(&::freopen64)> real_freopen64("freopen64");
constinit Real<decltype(&::tmpfile)> real_tmpfile("tmpfile");
constinit Real<decltype(&::tmpfile64)> real_tmpfile64("tmpfile64");
constinit Real<decltype(&::popen)> real_popen("popen");
constinit Real<decltype(&::fclose)> real_fclose("fclose");
constinit Real<decltype(&::pclose)> real_pclose("pclose");
constinit Real<decltype(&::opendir)> real_opendir("opendir");
constinit Real<decltype(&::closedir)> real_closedir("closedir");

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

// ---- where streams and open folders begin and end: each has a descriptor. Using a stream that
// another thread closes is a race on the stream itself.

namespace {

std::FILE* opened(std::FILE* stream, DescriptorKind kind, Address pc) {
  if (stream != nullptr) descriptor_opened(fileno(stream), kind, pc);
  return stream;
}

// The stream stays, its descriptor may become another.
template <class Reopen>
std::FILE* reopened(std::FILE* stream, Address pc, Reopen real) {
  write_range(stream, 1, pc);
  descriptor_closing(fileno(stream), pc);
  return opened(real(), DescriptorKind::kFile, pc);
}

void closing(std::FILE* stream, Address pc) {
  scheduling_point(PointKind::kIo, descriptors_object());
  write_range(stream, 1, pc);
  descriptor_closing(fileno(stream), pc);
}

}  // namespace

VIGIL_INTERCEPTOR std::FILE* fopen(const char* path, const char* mode) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_fopen(path, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR std::FILE* fopen64(const char* path, const char* mode) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_fopen64(path, mode), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

// Programs that define their own fopen reach the real one by this name.
VIGIL_INTERCEPTOR std::FILE* __interceptor_fopen(const char* path, const char* mode) {
  return real_fopen(path, mode);
}

VIGIL_INTERCEPTOR std::FILE* freopen(const char* path, const char* mode, std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return reopened(stream, VIGIL_CALLER_PC, [&] { return real_freopen(path, mode, stream); });
}

VIGIL_INTERCEPTOR std::FILE* freopen64(const char* path, const char* mode, std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return reopened(stream, VIGIL_CALLER_PC, [&] { return real_freopen64(path, mode, stream); });
}

VIGIL_INTERCEPTOR std::FILE* tmpfile() {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_tmpfile(), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR std::FILE* tmpfile64() {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_tmpfile64(), DescriptorKind::kFile, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR std::FILE* popen(const char* command, const char* mode) {
  const FrameScope frame(VIGIL_CALLER_PC);
  return opened(real_popen(command, mode), DescriptorKind::kOutside, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int fclose(std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  closing(stream, VIGIL_CALLER_PC);
  const int result = real_fclose(stream);
  descriptors_changed();
  return result;
}

VIGIL_INTERCEPTOR int pclose(std::FILE* stream) {
  const FrameScope frame(VIGIL_CALLER_PC);
  closing(stream, VIGIL_CALLER_PC);
  const int result = real_pclose(stream);
  descriptors_changed();
  return result;
}

VIGIL_INTERCEPTOR DIR* opendir(const char* path) {
  const FrameScope frame(VIGIL_CALLER_PC);
  DIR* const folder = real_opendir(path);
  if (folder != nullptr) descriptor_opened(dirfd(folder), DescriptorKind::kFile, VIGIL_CALLER_PC);
  return folder;
}

VIGIL_INTERCEPTOR int closedir(DIR* folder) {
  const FrameScope frame(VIGIL_CALLER_PC);
  scheduling_point(PointKind::kIo, descriptors_object());
  write_range(folder, 1, VIGIL_CALLER_PC);
  descriptor_closing(dirfd(folder), VIGIL_CALLER_PC);
  const int result = real_closedir(folder);
  descriptors_changed();
  return result;
}
