// SPDX-License-Identifier: Apache-2.0
//
// IsolatedReader: a reader of foreign files that the libraries it needs may bring down, in a
// process of its own: an assertion, a crash or a loop of libelf or libdw costs one answer, not the
// run.
//
//   Result<IsolatedReader> reader = IsolatedReader::start([](std::string_view path) {
//     return names_in(std::string(path));       // in the other process
//   });
//   if (!reader) return reader.error();
//   const Result<std::string> names = reader->ask("core.1234");
//   // Error: "its reader was ended by SIGABRT: the file is damaged or hostile"
//
// The process is a fork, so `answer` sees everything that was there before. It may open files for
// reading, map memory and write its answers; a seccomp filter lets it do nothing else: no network,
// no file written, no program started. Limits of each answer: Limits.
//
// Where the kernel or a container forbids filters, the process runs without one: the limits and its
// own address space remain.
//
// Thread safety: none. Other threads of the caller do not exist in the process: start it before
// there are any, or do not share locks with them. Cost: a fork and two messages, some ms.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::tools {

struct IsolationLimits {
  std::uint32_t cpu_seconds = 6;                        // of one answer; see allow_for_bytes()
  std::uint32_t wall_seconds = 300;                     // of one answer, whatever it waits for
  std::uint64_t memory_bytes = std::uint64_t{4} << 30;  // what it may write to
  std::uint64_t answer_bytes = std::uint64_t{1} << 30;
  bool may_trace = false;  // ptrace: to look into a living process
};

class IsolatedReader {
 public:
  using Answer = std::function<Result<std::string>(std::string_view question)>;

  static Result<IsolatedReader> start(const Answer& answer, IsolationLimits limits = {});
  IsolatedReader(IsolatedReader&& other) noexcept;
  IsolatedReader& operator=(IsolatedReader&&) = delete;
  ~IsolatedReader();

  // What `answer` gave. An Error of the process itself ends it.
  Result<std::string> ask(std::string_view question);
  // Whether it can be asked again.
  [[nodiscard]] bool is_alive() const { return process_ > 0; }

 private:
  IsolatedReader(pid_t process, int socket, IsolationLimits limits)
      : process_(process), socket_(socket), limits_(limits) {}
  [[nodiscard]] Error end(std::string_view why_killed);

  pid_t process_ = -1;
  int socket_ = -1;
  IsolationLimits limits_;
};

// In the process: more time for what the files at hand hold.
void allow_for_bytes(std::uint64_t bytes);

}  // namespace vigil::tools
