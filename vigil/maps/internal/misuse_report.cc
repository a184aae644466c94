// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/misuse_report.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "vigil/base/mutex.h"
#include "vigil/maps/internal/access_check.h"
#include "vigil/maps/internal/symbol_names.h"
#include "vigil/maps/internal/thread_stack.h"

namespace vigil::maps::internal {
namespace {

constexpr std::uint64_t kLoggedReportsMax = 16;  // of one map

constinit Mutex reporting;

std::string thread_name(pid_t thread) {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/comm";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::array<char, 32> name{};
  const ssize_t size = read(file, name.data(), name.size());
  close(file);
  std::string text(name.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

MisuseKind kind_of(MapOperation one, MapOperation other) {
  if (is_map_write(one) && is_map_write(other)) return MisuseKind::kWrites;
  return one == MapOperation::kIterate || other == MapOperation::kIterate
             ? MisuseKind::kIterationAndWrite
             : MisuseKind::kReadAndWrite;
}

// Writes the report line by line as it is made: the heap may be damaged, and what was written
// before naming a function fails is worth having.
class ReportText {
 public:
  explicit ReportText(bool written) : written_(written) {}

  [[gnu::format(printf, 2, 3)]] void line(const char* format, ...) {
    std::array<char, 512> buffer;
    std::va_list arguments;
    va_start(arguments, format);
    const int size = std::vsnprintf(buffer.data(), buffer.size() - 1, format, arguments);
    va_end(arguments);
    std::size_t length = size < 0 ? 0 : static_cast<std::size_t>(size);
    if (length > buffer.size() - 2) length = buffer.size() - 2;
    buffer[length++] = '\n';
    if (written_) write_fully(buffer.data(), length);
    text_.append(buffer.data(), length);
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  static void write_fully(const char* bytes, std::size_t size) {
    while (size != 0) {
      const ssize_t written = ::write(STDERR_FILENO, bytes, size);
      if (written <= 0) return;
      bytes += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  bool written_;
  std::string text_;
};

// Frames of the check itself stand before the operation; they tell nothing.
std::size_t first_telling_frame(const std::vector<CodePlace>& places) {
  constexpr std::size_t kOwnFramesMax = 12;
  std::size_t first = 0;
  for (std::size_t i = 0; i < places.size() && i < kOwnFramesMax; ++i) {
    for (const std::string_view own :
         {"vigil::maps::internal::AccessCheck::", "vigil::maps::internal::ThreadStack::",
          "vigil::maps::internal::report_misuse"}) {
      if (places[i].function.starts_with(own)) first = i + 1;
    }
  }
  return first < places.size() ? first : 0;
}

void add_side(ReportText& report, SymbolNames& names, MisuseSide& side, std::string_view state) {
  const std::string_view operation = to_string(side.operation);
  report.line("vigil: %.*s by thread %d \"%.*s\", %.*s", static_cast<int>(operation.size()),
              operation.data(), side.thread, static_cast<int>(side.thread_name.size()),
              side.thread_name.data(), static_cast<int>(state.size()), state.data());
  if (side.stack.empty()) {
    report.line("    (no stack: %.*s)", static_cast<int>(side.no_stack_because.size()),
                side.no_stack_because.data());
    return;
  }
  std::vector<CodePlace> places;
  for (const std::uintptr_t address : side.stack) places.push_back(names.find(address));
  const std::size_t first = first_telling_frame(places);
  for (std::size_t i = first; i < places.size(); ++i) {
    report.line("    #%zu 0x%" PRIxPTR " in %.300s (%.120s+0x%" PRIx64 ")", i - first,
                side.stack[i], places[i].function.empty() ? "??" : places[i].function.c_str(),
                places[i].module.c_str(), places[i].offset);
  }
  side.stack = side.stack.subspan(first);
}

std::string_view why_no_stack(ThreadStack::Answer answer) {
  switch (answer) {
    case ThreadStack::Answer::kTaken:
      return {};
    case ThreadStack::Answer::kEnded:
      return "the thread has ended";
    case ThreadStack::Answer::kSilent:
      return "the thread did not answer in time: it blocks signals, is stopped or starved";
  }
  return {};
}

void write_report(ReportText& report, MapMisuse& misuse) {
  const std::string_view kind = to_string(misuse.kind);
  report.line("fatal error: %.*s", static_cast<int>(kind.size()), kind.data());
  report.line("vigil: map \"%.*s\" at %p", static_cast<int>(misuse.map_name.size()),
              misuse.map_name.data(), misuse.map);
  SymbolNames names;
  add_side(report, names, misuse.current, "running");
  add_side(report, names, misuse.other,
           misuse.other.inside ? "inside the operation" : "after the operation");
  report.line("vigil: end of report");
}

// What could be had of the other thread.
struct OtherThread {
  OtherThread(pid_t thread, const std::function<std::uint64_t()>& word_now)
      : id(thread), word(word_now()), answer(stack.take_of(thread)) {
    inside = AccessWord::active(word) && AccessWord::thread(word) == id && word_now() == word &&
             answer == ThreadStack::Answer::kTaken;
  }

  pid_t id;
  std::uint64_t word;
  ThreadStack stack;
  ThreadStack::Answer answer;
  bool inside;  // one operation, that of `word`, ran while the stack was taken
};

// Does what the policy says.
void dispose(MapMisuse& misuse, const MisuseFound& found) {
  const MisusePolicy policy = found.options.policy;
  if (policy == MisusePolicy::kLog && found.earlier_reports >= kLoggedReportsMax) return;
  ReportText report(policy != MisusePolicy::kHandle);
  write_report(report, misuse);
  misuse.text = report.text();
  if (policy == MisusePolicy::kAbort) std::abort();
  if (policy == MisusePolicy::kHandle && found.options.handler) found.options.handler(misuse);
}

}  // namespace

void report_misuse(const MisuseFound& found, const std::function<std::uint64_t()>& word_now) {
  const MutexLock lock(reporting);
  const OtherThread other(AccessWord::thread(found.other_word), word_now);
  const std::string own_name = thread_name(ThisThread::id());
  const std::string other_name = thread_name(other.id);
  ThreadStack own;
  own.take_own();
  const MapOperation seen = AccessWord::operation(found.other_word);
  const MapOperation other_operation = other.inside ? AccessWord::operation(other.word) : seen;
  MapMisuse misuse{.kind = kind_of(found.operation, seen),
                   .map_name = found.options.name,
                   .map = found.map,
                   .current = {.thread = ThisThread::id(),
                               .thread_name = own_name,
                               .operation = found.operation,
                               .inside = true,
                               .stack = own.frames(),
                               .no_stack_because = {}},
                   .other = {.thread = other.id,
                             .thread_name = other_name,
                             .operation = other_operation,
                             .inside = other.inside,
                             .stack = other.stack.frames(),
                             .no_stack_because = why_no_stack(other.answer)},
                   .text = {}};
  dispose(misuse, found);
}

}  // namespace vigil::maps::internal
