// SPDX-License-Identifier: Apache-2.0
//
// One schedule: the program in a process of its own, with address randomisation off, on one CPU in
// controlled mode, its options in the environment and its records in a file without a name.
//
//   ScheduleProcess process = *ScheduleProcess::start(launch);
//   const ScheduleOutcome outcome = process.wait();
//
// The program does not outlive this process, nor its time limit.
//
// Thread safety: none; several schedules may run at the same time, waited for by one thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/race/race_options.h"

namespace vigil::tools::race {

// An open file that is closed at the end.
class OwnedFile {
 public:
  OwnedFile() = default;
  explicit OwnedFile(int file) : file_(file) {}
  OwnedFile(OwnedFile&& other) noexcept;
  OwnedFile& operator=(OwnedFile&& other) noexcept;
  ~OwnedFile();

  [[nodiscard]] int number() const { return file_; }
  [[nodiscard]] bool is_open() const { return file_ >= 0; }
  // The path by which another process of this user opens the same file.
  [[nodiscard]] std::string path() const;
  // Everything in it; at most its last `max` bytes.
  [[nodiscard]] std::string content(std::size_t max) const;

 private:
  int file_ = -1;
};

// A file in memory, without a name. Not open if the system refused.
[[nodiscard]] OwnedFile memory_file(std::string_view content = {});

// What distinguishes one schedule from the next.
struct Launch {
  const RaceOptions* options = nullptr;
  std::uint64_t seed = 1;
  bool record_events = false;  // events and decisions, too
  bool pass_output = false;    // the program has this process's standard input, output and error
  // Lines for the option `decisions`, instead of the strategy; an empty list is the plain policy.
  std::optional<std::string> decisions;
  std::string conflicts;  // for points=conflicts, as in RaceOptions
  unsigned slot = 0;      // of those that run at the same time; picks the CPU
};

struct ScheduleOutcome {
  std::uint64_t seed = 0;
  std::string conflicts;  // of its launch
  bool timed_out = false;
  int signal = 0;       // that ended the program, 0 if it exited
  int exit_status = 0;  // if it exited
  std::string records;
  std::string output;  // the end of what it printed, unless that was passed on
};

class ScheduleProcess {
 public:
  // An error is one of the system or of the program's path, never the program's own.
  static Result<ScheduleProcess> start(const Launch& launch);

  ScheduleProcess(ScheduleProcess&& other) noexcept;
  ScheduleProcess& operator=(ScheduleProcess&& other) = delete;
  ~ScheduleProcess();  // kills the program if it still runs

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  // Readable (poll) when the program has ended.
  [[nodiscard]] int ended() const { return process_file_.number(); }
  // Milliseconds until its time is over; 0: it is.
  [[nodiscard]] int milliseconds_left() const;

  // Waits for the end, or kills the program when its time is over.
  ScheduleOutcome wait();

 private:
  ScheduleProcess() = default;
  void kill_all() const;

  pid_t process_ = -1;
  bool own_group_ = false;
  std::uint64_t seed_ = 0;
  std::string launch_conflicts_;
  std::int64_t deadline_ms_ = 0;
  OwnedFile process_file_;
  OwnedFile records_;
  OwnedFile output_;
  OwnedFile decisions_;
  OwnedFile conflicts_;
};

// The value of VIGIL_RACE_OPTIONS, without the paths.
[[nodiscard]] std::string runtime_options(const RaceOptions& options, std::uint64_t seed,
                                          bool record_events);

}  // namespace vigil::tools::race
