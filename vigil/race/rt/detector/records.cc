// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/records.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/modules.h"
#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {
namespace {

using report::RecordHeader;
using report::RecordKind;

constexpr std::size_t kBuffer = 128 << 10;
constexpr std::uint32_t kStackFrames = 512;  // of one record

struct State {
  SpinLock lock;
  long file = -1;
  char* buffer = nullptr;
  std::size_t buffered = 0;
  std::uint64_t* stacks_written = nullptr;  // a bit for each
  std::uint16_t process_tag = 0;            // RecordHeader::process; 0 in the first of the file
  std::uint64_t frames[kStackFrames] = {};  // of the stack that is being written
};
constinit State state;

void write_buffer() {
  std::size_t done = 0;
  while (done < state.buffered) {
    const long written =
        raw_syscall(SYS_write, state.file, state.buffer + done, state.buffered - done);
    if (written == -EINTR) continue;
    if (written <= 0) break;
    done += static_cast<std::size_t>(written);
  }
  state.buffered = 0;
}

// `tail` follows the record; both sizes are rounded up to 8 together.
void put(RecordKind kind, RecordHeader* record, std::size_t size, const void* tail,
         std::size_t tail_size) {
  const std::size_t whole = (size + tail_size + 7) / 8 * 8;
  if (state.buffered + whole > kBuffer) write_buffer();
  record->kind = kind;
  record->size = static_cast<std::uint32_t>(whole);
  record->process = state.process_tag;
  char* const to = state.buffer + state.buffered;
  raw_move(to, record, size);
  raw_move(to + size, tail, tail_size);
  raw_fill(to + size + tail_size, 0, whole - size - tail_size);
  state.buffered += whole;
}

// Processes that run at the same time have different tags: neighbouring numbers do.
std::uint16_t tag_of_this_process() {
  return static_cast<std::uint16_t>(raw_syscall(SYS_getpid) % 0xffff + 1);
}

bool file_is_empty() {
  struct stat status {};
  return raw_syscall(SYS_fstat, state.file, &status) == 0 && status.st_size == 0;
}

void put_start() {
  report::StartRecord start{};
  start.magic = report::kRecordMagic;
  start.process = static_cast<std::uint32_t>(raw_syscall(SYS_getpid));
  start.seed = options().seed;
  start.controlled = options().mode == Mode::kControlled;
  raw_copy_text(start.strategy, options().strategy);
  put(RecordKind::kStart, &start.header, sizeof(start), nullptr, 0);
}

void put_module(const Module& module) {
  report::ModuleRecord record{};
  record.begin = module.begin;
  record.end = module.end;
  record.bias = module.bias;
  put(RecordKind::kModule, &record.header, sizeof(record), module.path,
      raw_length(module.path) + 1);
}

// Modules may have been loaded since the last look: look again when a place is in none of them.
void put_modules_of(StackId stack) {
  for (; stack != 0; stack = stack_tree.parent(stack)) {
    if (find_module(stack_tree.pc(stack)) == nullptr) {
      find_new_modules(put_module);
      return;
    }
  }
}

void put_stack(StackId stack) {
  if (stack == 0) return;
  std::uint64_t& word = state.stacks_written[stack / 64];
  const std::uint64_t bit = std::uint64_t{1} << stack % 64;
  if ((word & bit) != 0) return;
  word |= bit;
  put_modules_of(stack);
  report::StackRecord record{};
  record.id = stack;
  for (StackId node = stack; node != 0 && record.count < kStackFrames;
       node = stack_tree.parent(node)) {
    state.frames[record.count++] = stack_tree.pc(node);
  }
  put(RecordKind::kStack, &record.header, sizeof(record), state.frames,
      record.count * sizeof(state.frames[0]));
}

void put_thread(std::uint32_t number) {
  ThreadInfo& info = thread_info(number);
  if (info.recorded != 0) return;
  info.recorded = 1;
  if (number != 0) put_thread(info.created_by);
  put_stack(info.created_at);
  report::ThreadRecord record{};
  record.thread = number;
  record.created_by = info.created_by;
  record.created_at = info.created_at;
  raw_copy_text(record.name, info.name);
  put(RecordKind::kThread, &record.header, sizeof(record), nullptr, 0);
}

}  // namespace

namespace {

// For a program that was started by itself, with vigil at hand to name what is found. Its number is
// none that the program would be given.
long nameless_file() {
  constexpr int kHighNumber = 900;
  const long made = raw_syscall(SYS_memfd_create, "vigil-race", MFD_CLOEXEC);
  if (made < 0) return made;
  const long file = raw_syscall(SYS_fcntl, made, F_DUPFD_CLOEXEC, kHighNumber);
  if (file < 0) return made;
  raw_syscall(SYS_close, made);
  raw_syscall(SYS_fcntl, file, F_SETFL, O_APPEND);
  return file;
}

}  // namespace

void records_init() {
  const bool named = options().out[0] != 0;
  if (!named && options().tool[0] == 0) return;
  state.file = named ? raw_syscall(SYS_openat, AT_FDCWD, options().out,
                                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)
                     : nameless_file();
  if (state.file < 0 && !named) return;
  if (state.file < 0) fail("cannot open the record file");
  state.buffer = map_array<char>(kBuffer);
  state.stacks_written = map_array<std::uint64_t>(StackTree::kNodes / 64);
  // Programs that this one's shell or parent started write to the same file. The process that finds
  // it empty is the first, whatever its number is: equal runs then write equal records.
  raw_syscall(SYS_flock, state.file, LOCK_EX);
  if (!file_is_empty()) state.process_tag = tag_of_this_process();
  put_start();
  write_buffer();  // a program that is killed was instrumented all the same
  raw_syscall(SYS_flock, state.file, LOCK_UN);
}

bool recording_to_file() { return state.file >= 0; }

long record_file() { return state.file; }

void record_suppressions(const char* text) {
  constexpr std::size_t kSuppressionsMax = 64 << 10;
  if (!recording_to_file()) return;
  report::NoteRecord record{};
  const SpinGuard guard(state.lock);
  const std::size_t length = raw_length(text);
  put(RecordKind::kSuppressions, &record.header, sizeof(record), text,
      length < kSuppressionsMax ? length : kSuppressionsMax);
  write_buffer();
}

void record_stack(StackId stack) {
  if (!recording_to_file()) return;
  const SpinGuard guard(state.lock);
  put_stack(stack);
}

void record_thread(std::uint32_t number) {
  if (!recording_to_file()) return;
  const SpinGuard guard(state.lock);
  put_thread(number);
}

void append_record(RecordKind kind, RecordHeader* record, std::size_t size) {
  if (!recording_to_file()) return;
  const SpinGuard guard(state.lock);
  put(kind, record, size, nullptr, 0);
}

void flush_records() {
  if (!recording_to_file()) return;
  const SpinGuard guard(state.lock);
  write_buffer();
}

void records_after_fork() {
  if (!recording_to_file()) return;
  state.buffered = 0;
  state.process_tag = tag_of_this_process();
  raw_fill(state.stacks_written, 0, (stack_tree.size() / 64 + 1) * sizeof(state.stacks_written[0]));
  for (std::uint32_t number = 0; number < thread_count(); ++number) {
    thread_info(number).recorded = 0;
  }
  forget_modules();
  put_start();
}

// ---- detector.h

void write_record(const RecordHeader* record) {
  if (!recording_to_file()) return;
  const SpinGuard guard(state.lock);
  if (record->kind == RecordKind::kEvent) {
    const auto* event = reinterpret_cast<const report::EventRecord*>(record);
    put_thread(event->thread);
    put_stack(event->stack);
  } else if (record->kind == RecordKind::kDecision) {
    const auto* decision = reinterpret_cast<const report::DecisionRecord*>(record);
    put_thread(decision->thread);
    put_stack(decision->stack);
  }
  if (state.buffered + record->size > kBuffer) write_buffer();
  raw_move(state.buffer + state.buffered, record, record->size);
  reinterpret_cast<RecordHeader*>(state.buffer + state.buffered)->process = state.process_tag;
  state.buffered += record->size;
}

void report_note(const char* text) {
  report::NoteRecord record{};
  const std::size_t length = raw_length(text) + 1;
  if (recording_to_file() && options().out[0] != 0) {
    const SpinGuard guard(state.lock);
    put(RecordKind::kNote, &record.header, sizeof(record), text, length);
    return;
  }
  raw_syscall(SYS_write, 2, "vigil race: note: ", 18);
  raw_syscall(SYS_write, 2, text, length - 1);
  raw_syscall(SYS_write, 2, "\n", 1);
}

}  // namespace vigil::race
