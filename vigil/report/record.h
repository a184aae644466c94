// SPDX-License-Identifier: Apache-2.0
//
// The binary stream that the race runtime writes from inside a program (possibly a crashing one)
// and that `vigil race` reads afterwards: raw addresses and numbers, no names. Names are made
// later, in another process.
//
// Layout: a sequence of records, each a RecordHeader and a body of fixed layout, 8-byte aligned,
// native byte order (a stream never leaves the machine). The runtime appends every record with one
// write() to a file opened with O_APPEND, so the records of a process and its forked children never
// mix. A reader skips kinds that it does not know and stops at a record cut short.
//
// Order: kStart comes first in each process. A kModule, kStack or kThread record comes before the
// first record that refers to it. A finding is kFinding, its kAccess, kLocation, kWaiter and kLock
// records, then kFindingEnd. kSummary is the last record of a process that could write one.
//
// Context: written by `race/rt` without allocation, locks of the C library or stdio.
// Thread safety: plain values.
#pragma once

#include <cstdint>

namespace vigil::report {

inline constexpr std::uint32_t kRecordMagic = 0x3147'4956;  // "VIG1"

enum class RecordKind : std::uint16_t {
  kStart = 1,
  kModule,
  kStack,
  kThread,
  kFinding,
  kAccess,
  kLocation,
  kWaiter,
  kLock,
  kFindingEnd,
  kSummary,
  kEvent,
  kDecision,
  kNote,
  kSuppressions,  // a NoteRecord: the program's own, lines as in a suppressions file
};

struct RecordHeader {
  std::uint32_t size;  // of the whole record, a multiple of 8
  RecordKind kind;
  std::uint16_t process;  // tells the streams in one file apart: 0 is the first, others by number
};

// A stack is named by a number that the process gave it; 0 is the empty stack.
using StackId = std::uint32_t;

struct StartRecord {
  RecordHeader header;
  std::uint32_t magic;
  std::uint32_t process;
  std::uint64_t seed;
  std::uint8_t controlled;
  char strategy[23];
};

// Followed by the path of the file, ended by a zero byte.
struct ModuleRecord {
  RecordHeader header;
  std::uint64_t begin;  // of its mapped segments
  std::uint64_t end;
  std::uint64_t bias;  // address in memory = address in the file + bias
};

// Followed by `count` return addresses (uint64), innermost first.
struct StackRecord {
  RecordHeader header;
  StackId id;
  std::uint32_t count;
};

struct ThreadRecord {
  RecordHeader header;
  std::uint32_t thread;  // numbered from 0, the main thread, in the order of creation
  std::uint32_t created_by;
  StackId created_at;
  std::uint32_t reserved;
  char name[16];
};

struct FindingRecord {
  RecordHeader header;
  std::uint8_t kind;    // report::Kind
  std::uint8_t misuse;  // of a lock: race/rt/detector/lock_misuse.h
  std::uint8_t reserved[2];
  std::int32_t signal;  // of a crash
  std::uint64_t scheduling_point;
  std::uint64_t virtual_ns;
  std::uint64_t address;
};

struct AccessRecord {
  RecordHeader header;
  std::uint32_t thread;
  std::uint32_t size;
  std::uint64_t address;
  StackId stack;
  std::uint8_t operation;  // report::Operation
  std::uint8_t reserved[3];
};

struct LocationRecord {
  RecordHeader header;
  std::uint64_t address;
  std::uint64_t size;
  std::uint32_t thread;
  StackId allocated_at;
  StackId freed_at;
  std::uint8_t kind;  // report::Location::Kind
  std::uint8_t reserved[3];
};

// A thread that waits, in a deadlock or a lost wake-up.
struct WaiterRecord {
  RecordHeader header;
  std::uint32_t thread;
  std::int32_t holder;  // thread that holds the object, -1 if none does
  std::uint64_t object;
  StackId stack;
  StackId holder_stack;  // where the holder took it
  char operation[32];    // "pthread_mutex_lock"
};

struct LockRecord {
  RecordHeader header;
  std::uint32_t thread;
  StackId acquired_at;
  std::uint64_t address;
  char kind[24];  // "mutex", "shared mutex (read)"
};

struct FindingEndRecord {
  RecordHeader header;
};

struct SummaryRecord {
  RecordHeader header;
  std::uint64_t scheduling_points;
  std::uint64_t switches;
  std::uint64_t preemptions;  // switches away from a thread that could have gone on
  std::uint64_t virtual_ns;
  std::uint64_t schedule_hash;  // equal for equal schedules
  std::uint64_t event_hash;
  std::uint32_t findings;
  std::uint32_t threads;
  std::uint32_t external_waits;  // results that a replay cannot repeat
  std::uint32_t reserved;
};

// Followed by a sentence for the user, ended by a zero byte: "read of descriptor 5 waited outside".
struct NoteRecord {
  RecordHeader header;
};

enum class EventKind : std::uint16_t {
  kThreadStart = 1,
  kThreadEnd,
  kRun,      // the thread got the token
  kPreempt,  // it lost the token although it could have gone on
  kBlock,
  kWake,
  kAcquire,
  kRelease,
  kAtomic,
  kTimer,  // virtual time jumped to a deadline
  kMap,    // an annotated map operation
  kRace,
};

// One point of the timeline (`vigil trace`).
struct EventRecord {
  RecordHeader header;
  std::uint64_t virtual_ns;
  std::uint64_t scheduling_point;
  std::uint64_t object;
  std::uint32_t thread;
  StackId stack;
  EventKind event;
  std::uint16_t reserved;
  std::uint32_t argument;
};

// One decision of the scheduler that its plain policy would not have made (see
// vigil/race/sched/replay.h), for replay and minimisation.
struct DecisionRecord {
  RecordHeader header;
  std::uint64_t scheduling_point;
  std::uint64_t hash;      // of everything up to here: a replay that differs stops loudly
  std::uint32_t thread;    // who ran on; of a choice: the index chosen
  std::uint32_t runnable;  // how many could have been chosen
  StackId stack;           // where the thread that stopped stood
  std::uint32_t from;      // the thread that stopped
  std::uint32_t step;      // how many points (choices) of its own it had passed
  std::uint8_t preemption;
  std::uint8_t kind;  // race::Decision::Kind: run, early deadline, choice
  std::uint8_t reserved[2];
};

}  // namespace vigil::report
