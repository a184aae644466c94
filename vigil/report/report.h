// SPDX-License-Identifier: Apache-2.0
//
// The evidence model: what is known about a race, a crash or a stuck program, as plain data. The
// race tool writes it (`vigil race run --json`), the readers of `vigil triage` and `vigil gate`
// produce it from logs, dumps and cores, and every report, verdict and export is made from it.
//
// Conventions: a Stack has its innermost frame first, inlined frames in their places. A string that
// is not known is empty, a number that is not known is 0 unless the field says otherwise. Names are
// as the source has them (demangled), files as the debug information has them.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::report {

struct Frame {
  std::string function;
  std::string file;
  int line = 0;
  int column = 0;
  std::string module;  // path of the executable or library, or the Go package
  std::uint64_t address =
      0;                 // inside the call instruction, relative to the module where it is known
  bool inlined = false;  // merged into the next frame by the compiler

  friend bool operator==(const Frame&, const Frame&) = default;
};

using Stack = std::vector<Frame>;

// What a thread did to memory or to a map. The map operations are those of Go's runtime and of
// containers: insert or assign, look up, erase, iterate.
enum class Operation : std::uint8_t {
  kUnknown,
  kRead,
  kWrite,
  kAtomicRead,
  kAtomicWrite,
  kFree,
  kMapRead,
  kMapWrite,
  kMapErase,
  kMapIterate,
};

// A lock that a thread holds.
struct Lock {
  std::string kind;  // "mutex", "shared mutex (read)", ...
  std::string name;  // variable, if known
  std::uint64_t address = 0;
  Stack acquired_at;

  friend bool operator==(const Lock&, const Lock&) = default;
};

struct Thread {
  std::int64_t id = -1;  // as the source of the evidence numbers its threads; -1 unknown
  std::string name;      // "main", or what pthread_setname_np said
  std::string state;     // "running", "chan receive", "blocked in pthread_mutex_lock", ...
  double waiting_seconds = 0;
  std::int64_t created_by = -1;
  Stack stack;
  Stack created_at;
  std::vector<Lock> locks;
  std::uint64_t waits_for = 0;         // address of the object it is blocked on
  std::int64_t waits_for_thread = -1;  // the holder of that object

  friend bool operator==(const Thread&, const Thread&) = default;
};

struct Access {
  std::int64_t thread = -1;
  Operation operation = Operation::kUnknown;
  std::uint64_t address = 0;
  std::uint32_t size = 0;
  Stack stack;
  std::vector<Lock> locks;

  friend bool operator==(const Access&, const Access&) = default;
};

// Where a racing address lies.
struct Location {
  enum class Kind : std::uint8_t { kUnknown, kGlobal, kHeap, kStack, kThreadLocal, kFile };

  Kind kind = Kind::kUnknown;
  std::string object;         // "user_cache", "server.table"; a map's name if it has one
  std::string type;           // "std::unordered_map<int, User>"
  std::uint64_t address = 0;  // start of the object or heap block
  std::uint64_t size = 0;
  std::int64_t thread = -1;  // whose stack, or who allocated
  Stack allocated_at;

  friend bool operator==(const Location&, const Location&) = default;
};

enum class Kind : std::uint8_t {
  kRace,                  // two accesses without order
  kDeadlock,              // every thread waits, or a cycle of locks
  kLostWakeUp,            // the notification came before the wait
  kLivelock,              // threads run, none gets on
  kUseAfterFree,          // access to a freed block
  kCrash,                 // the program's own abort or signal
  kMapWrites,             // fatal error: concurrent map writes
  kMapReadAndWrite,       // fatal error: concurrent map read and map write
  kMapIterationAndWrite,  // fatal error: concurrent map iteration and map write
  kLockMisuse,            // unlock of a lock that is not held, lock order, destroyed lock
  kLeak,                  // a thread that was never joined
  kOther,                 // see `message`
};

struct Finding {
  Kind kind = Kind::kOther;
  std::string message;           // the headline of the source, or what happened in one sentence
  std::vector<Access> accesses;  // the later (current) access first; one side may be missing
  Location location;
  std::vector<Thread> threads;  // those taking part, with where they were created
  // Of the race runtime only: the schedule that showed it.
  std::uint64_t seed = 0;
  std::string strategy;
  std::string replay;  // the command that shows it again
  std::uint64_t scheduling_point = 0;
  std::uint64_t occurrences = 1;

  friend bool operator==(const Finding&, const Finding&) = default;
};

// What `vigil race run --json` writes.
struct RunReport {
  std::vector<Finding> findings;
  std::uint64_t schedules = 0;
  std::uint64_t scheduling_points = 0;
  double virtual_seconds = 0;
  std::vector<std::string> program;  // the command line
  std::string mode;                  // "controlled" or "free"

  friend bool operator==(const RunReport&, const RunReport&) = default;
};

// What a reader made of one input: a log, a dump, a core, a process.
struct Evidence {
  std::string path;
  std::string format;  // name of the reader: "go-race", "tsan", "gdb", ...
  std::string program;
  std::vector<Finding> findings;
  std::vector<Thread> threads;                // of a dump
  std::vector<std::string> warnings;          // what could not be read, and why
  bool truncated = false;                     // the input ends in the middle
  std::optional<std::string> detector_proof;  // the line that proves that a detector ran

  friend bool operator==(const Evidence&, const Evidence&) = default;
};

// Names as in the JSON and the text reports: "race", "lost wake-up", "concurrent map writes", ...
std::string_view to_string(Kind kind);
std::string_view to_string(Operation operation);
std::string_view to_string(Location::Kind kind);
std::optional<Kind> kind_from(std::string_view name);
std::optional<Operation> operation_from(std::string_view name);
std::optional<Location::Kind> location_kind_from(std::string_view name);

bool is_map_operation(Operation operation);
// Whether the operation changes memory (a free does) or a map.
bool is_write(Operation operation);

}  // namespace vigil::report
