// SPDX-License-Identifier: Apache-2.0
//
// Functions of the C library that write their answer into memory of the caller: the write is the
// caller's access.
//
// Context: interceptor, signal.
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/real_function.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::vsnprintf)> real_vsnprintf("vsnprintf");
constinit Real<decltype(&::vsprintf)> real_vsprintf("vsprintf");

void text_written(const char* text, Address pc) { write_range(text, raw_length(text) + 1, pc); }

int print(char* buffer, std::size_t size, const char* format, std::va_list arguments, Address pc) {
  const int length = real_vsnprintf(buffer, size, format, arguments);
  if (length >= 0 && size != 0) {
    write_range(buffer, std::min(static_cast<std::size_t>(length) + 1, size), pc);
  }
  return length;
}

int print(char* buffer, const char* format, std::va_list arguments, Address pc) {
  const int length = real_vsprintf(buffer, format, arguments);
  if (length >= 0) write_range(buffer, static_cast<std::size_t>(length) + 1, pc);
  return length;
}

}  // namespace

// ---- text

VIGIL_INTERCEPTOR int snprintf(char* buffer, std::size_t size, const char* format, ...) noexcept {
  std::va_list arguments;
  va_start(arguments, format);
  const int length = print(buffer, size, format, arguments, VIGIL_CALLER_PC);
  va_end(arguments);
  return length;
}

VIGIL_INTERCEPTOR int vsnprintf(char* buffer, std::size_t size, const char* format,
                                std::va_list arguments) noexcept {
  return print(buffer, size, format, arguments, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int sprintf(char* buffer, const char* format, ...) noexcept {
  std::va_list arguments;
  va_start(arguments, format);
  const int length = print(buffer, format, arguments, VIGIL_CALLER_PC);
  va_end(arguments);
  return length;
}

VIGIL_INTERCEPTOR int vsprintf(char* buffer, const char* format, std::va_list arguments) noexcept {
  return print(buffer, format, arguments, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR const char* inet_ntop(int family, const void* address, char* buffer,
                                        socklen_t size) noexcept {
  static constinit Real<decltype(&::inet_ntop)> real("inet_ntop");
  const char* const text = real(family, address, buffer, size);
  if (text != nullptr) text_written(text, VIGIL_CALLER_PC);
  return text;
}

VIGIL_INTERCEPTOR std::size_t strftime(char* buffer, std::size_t size, const char* format,
                                       const tm* time) noexcept {
  static constinit Real<decltype(&::strftime)> real("strftime");
  const std::size_t length = real(buffer, size, format, time);
  if (length != 0) write_range(buffer, length + 1, VIGIL_CALLER_PC);
  return length;
}

VIGIL_INTERCEPTOR ssize_t readlink(const char* path, char* buffer, std::size_t size) noexcept {
  static constinit Real<decltype(&::readlink)> real("readlink");
  const ssize_t length = real(path, buffer, size);
  if (length > 0) write_range(buffer, static_cast<std::size_t>(length), VIGIL_CALLER_PC);
  return length;
}

// ---- objects

VIGIL_INTERCEPTOR tm* gmtime_r(const time_t* time, tm* broken) noexcept {
  static constinit Real<decltype(&::gmtime_r)> real("gmtime_r");
  tm* const found = real(time, broken);
  if (found != nullptr) write_range(found, sizeof *found, VIGIL_CALLER_PC);
  return found;
}

VIGIL_INTERCEPTOR tm* localtime_r(const time_t* time, tm* broken) noexcept {
  static constinit Real<decltype(&::localtime_r)> real("localtime_r");
  tm* const found = real(time, broken);
  if (found != nullptr) write_range(found, sizeof *found, VIGIL_CALLER_PC);
  return found;
}

// ---- functions that differ in their parameters only

// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are types and lists with their own.

// Writes a text into the buffer and returns it, or returns null or a text of its own.
#define VIGIL_TEXT_ANSWER(name, buffer, parameters, arguments)                  \
  VIGIL_INTERCEPTOR char* name parameters {                                     \
    static constinit Real<char*(*)parameters> real(#name);                      \
    char* const text = real arguments;                                          \
    if (text != nullptr && text == buffer) text_written(text, VIGIL_CALLER_PC); \
    return text;                                                                \
  }

// Writes a text into the buffer and returns 0, or an error.
#define VIGIL_TEXT_OR_ERROR(name, buffer, parameters, arguments) \
  VIGIL_INTERCEPTOR int name parameters {                        \
    static constinit Real<int(*) parameters> real(#name);        \
    const int failed = real arguments;                           \
    if (failed == 0) text_written(buffer, VIGIL_CALLER_PC);      \
    return failed;                                               \
  }

// Writes an object and returns 0, or an error.
#define VIGIL_OBJECT_ANSWER(name, object, parameters, arguments)             \
  VIGIL_INTERCEPTOR int name parameters noexcept {                           \
    static constinit Real<int(*) parameters> real(#name);                    \
    const int failed = real arguments;                                       \
    if (failed == 0) write_range(object, sizeof *(object), VIGIL_CALLER_PC); \
    return failed;                                                           \
  }

VIGIL_TEXT_ANSWER(strerror_r, buffer, (int error, char* buffer, std::size_t size),
                  (error, buffer, size))
VIGIL_TEXT_ANSWER(getcwd, buffer, (char* buffer, std::size_t size), (buffer, size))
VIGIL_TEXT_ANSWER(asctime_r, buffer, (const tm* time, char* buffer), (time, buffer))
VIGIL_TEXT_ANSWER(ctime_r, buffer, (const time_t* time, char* buffer), (time, buffer))

VIGIL_TEXT_OR_ERROR(__xpg_strerror_r, buffer, (int error, char* buffer, std::size_t size),
                    (error, buffer, size))
VIGIL_TEXT_OR_ERROR(gethostname, buffer, (char* buffer, std::size_t size), (buffer, size))
VIGIL_TEXT_OR_ERROR(ttyname_r, buffer, (int descriptor, char* buffer, std::size_t size),
                    (descriptor, buffer, size))
VIGIL_TEXT_OR_ERROR(getlogin_r, buffer, (char* buffer, std::size_t size), (buffer, size))

VIGIL_OBJECT_ANSWER(stat, found, (const char* path, struct stat* found), (path, found))
VIGIL_OBJECT_ANSWER(lstat, found, (const char* path, struct stat* found), (path, found))
VIGIL_OBJECT_ANSWER(fstat, found, (int descriptor, struct stat* found), (descriptor, found))
VIGIL_OBJECT_ANSWER(fstatat, found, (int folder, const char* path, struct stat* found, int flags),
                    (folder, path, found, flags))
VIGIL_OBJECT_ANSWER(statfs, found, (const char* path, struct statfs* found), (path, found))
VIGIL_OBJECT_ANSWER(fstatfs, found, (int descriptor, struct statfs* found), (descriptor, found))
VIGIL_OBJECT_ANSWER(uname, found, (utsname * found), (found))
VIGIL_OBJECT_ANSWER(sysinfo, found, (struct sysinfo * found), (found))
VIGIL_OBJECT_ANSWER(getsockname, size, (int socket, sockaddr* address, socklen_t* size),
                    (socket, address, size))
VIGIL_OBJECT_ANSWER(getpeername, size, (int socket, sockaddr* address, socklen_t* size),
                    (socket, address, size))
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace vigil::race
