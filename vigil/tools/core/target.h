// SPDX-License-Identifier: Apache-2.0
//
// Target: a core file or a stopped process, opened for unwinding and reading memory.
//
// Thread safety: none; a process must be read by the thread that attached.
#pragma once

#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/core/stopped_process.h"
#include "vigil/tools/core/unwound_stack.h"

namespace vigil::tools {

// The signal that ended a process.
struct Death {
  int signal = 0;
  std::int64_t thread = 0;
  std::uint64_t address = 0;  // of a fault
};

class Target {
 public:
  // `executable` may be empty: the core names it.
  static Result<std::unique_ptr<Target>> open_core(const std::string& path,
                                                   const std::string& executable);
  // The process stands still until the Target goes away.
  static Result<std::unique_ptr<Target>> attach(pid_t process);
  ~Target();
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  [[nodiscard]] Dwfl* dwfl() const { return dwfl_; }
  [[nodiscard]] pid_t process() const { return process_; }
  // Path of the program.
  [[nodiscard]] const std::string& program() const { return program_; }
  [[nodiscard]] const std::optional<Death>& death() const { return death_; }
  [[nodiscard]] bool is_truncated() const { return is_truncated_; }
  // What will be missing, and what to do about it.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  std::vector<UnwoundStack> unwind_all();
  [[nodiscard]] std::optional<std::uint64_t> read_word(std::uint64_t address) const;

 private:
  // Memory that the core holds.
  struct Segment {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    const char* bytes = nullptr;
  };
  // A thread of the core with its registers, by DWARF number.
  struct CoreThread {
    pid_t id = 0;
    std::array<Dwarf_Word, kRegisters> registers;
  };
  // What libdwfl calls; its own reader of cores searches all segments and all earlier reads for
  // each word, which is the square of the threads.
  struct CoreCallbacks;

  Target() = default;
  Result<void> read_headers(const std::string& path);
  [[nodiscard]] Error unreadable(const std::string& path, const std::string& what) const;
  void read_notes(const std::string& path);
  Result<void> report_modules(const std::string& path, const std::string& executable);
  void judge_debug_info(Dwfl_Module* module);
  Result<void> judge_modules(const std::string& executable);
  [[nodiscard]] std::optional<std::uint64_t> read_from_core(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> read_from_segment(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> read_from_module(std::uint64_t address) const;

  int file_ = -1;
  Elf* elf_ = nullptr;
  Dwfl* dwfl_ = nullptr;
  pid_t process_ = 0;
  std::unique_ptr<StoppedProcess> stopped_;
  std::vector<Segment> segments_;  // ascending
  std::vector<CoreThread> threads_;
  std::string program_;
  std::uint64_t entry_ = 0;  // an address inside the program
  std::optional<Death> death_;
  bool is_truncated_ = false;
  std::vector<std::string> warnings_;
};

}  // namespace vigil::tools
