// SPDX-License-Identifier: Apache-2.0
//
// disk_faults: a library for LD_PRELOAD that makes a disk slow or broken, as the file that
// VIGIL_DISK_FAULTS names says at the time of each call. Its lines:
//
//   sync_ms 50     each fdatasync() takes so much longer
//   read_ms 50     each pread() does
//   fail_sync 3    the third fdatasync() from now on fails with EIO, those behind it succeed; "now"
//                  is when the line was first seen with this number
//
// Thread safety: any thread.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace {

struct Faults {
  long sync_ms = 0;
  long read_ms = 0;
  long fail_sync = 0;
};

template <class Function>
Function* next_of(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

ssize_t real_pread(int file, void* to, std::size_t bytes, off_t offset) {
  static auto* const real = next_of<ssize_t(int, void*, std::size_t, off_t)>("pread");
  return real(file, to, bytes, offset);
}

long number_behind(const char* text, const char* name) {
  const char* const found = std::strstr(text, name);
  return found == nullptr ? 0 : std::strtol(found + std::strlen(name), nullptr, 10);
}

Faults faults_now() {
  const char* const path = std::getenv("VIGIL_DISK_FAULTS");
  if (path == nullptr) return {};
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[256] = {};
  const ssize_t size = real_pread(file, text, sizeof(text) - 1, 0);
  ::close(file);
  if (size <= 0) return {};
  return {number_behind(text, "sync_ms "), number_behind(text, "read_ms "),
          number_behind(text, "fail_sync ")};
}

void delay(long milliseconds) {
  if (milliseconds == 0) return;
  const timespec time{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  ::nanosleep(&time, nullptr);
}

// Whether this is the call that was asked to fail.
bool fails(long wanted) {
  static std::mutex mutex;
  static long counted_for = 0;
  static long calls = 0;
  const std::scoped_lock lock(mutex);
  if (wanted != counted_for) {
    counted_for = wanted;
    calls = 0;
  }
  return wanted != 0 && ++calls == wanted;
}

}  // namespace

extern "C" {

int fdatasync(int file) {
  static auto* const real = next_of<int(int)>("fdatasync");
  const Faults faults = faults_now();
  delay(faults.sync_ms);
  if (fails(faults.fail_sync)) {
    errno = EIO;
    return -1;
  }
  return real(file);
}

ssize_t pread(int file, void* to, std::size_t bytes, off_t offset) {
  delay(faults_now().read_ms);
  return real_pread(file, to, bytes, offset);
}

ssize_t pread64(int file, void* to, std::size_t bytes, off_t offset) {
  return pread(file, to, bytes, offset);
}

}  // extern "C"
