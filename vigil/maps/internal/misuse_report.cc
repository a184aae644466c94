// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/misuse_report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/mutex.h"
#include "vigil/maps/internal/access_word.h"
#include "vigil/stacks/demangle.h"
#include "vigil/stacks/elf_names.h"
#include "vigil/stacks/proc_task.h"
#include "vigil/stacks/stack_capture.h"
#include "vigil/stacks/this_thread.h"

namespace vigil::maps::internal {

using stacks::CapturedStack;
using stacks::CaptureRequest;
using stacks::NamedAddress;
using stacks::ThisThread;

namespace {

constexpr std::uint64_t kLoggedReportsMax = 16;  // of one map
constexpr int kAnswerPatience_ms = 200;

constinit Mutex reporting;
// The other thread's answer, which may come when it is no longer awaited.
constinit CapturedStack other_stack = {};

// Empty if the thread has ended.
std::string thread_name(pid_t thread) {
  stacks::TaskFacts facts;
  return stacks::read_task_facts(thread, &facts) ? std::string(facts.name.data()) : std::string();
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

// "int f<std::pair<A, B> >(int)" -> "int f(int)".
std::string without_template_arguments(std::string_view name) {
  constexpr std::string_view kOperator = "operator";
  std::string result;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (depth == 0 && name.substr(i).starts_with(kOperator)) {
      // operator<, operator<<, operator-> and the like are names.
      std::size_t end = i + kOperator.size();
      while (end < name.size() &&
             std::string_view("<>=-").find(name[end]) != std::string_view::npos) {
        ++end;
      }
      result += name.substr(i, end - i);
      i = end - 1;
    } else if (name[i] == '<') {
      ++depth;
    } else if (name[i] == '>' && depth > 0) {
      --depth;
    } else if (depth == 0) {
      result += name[i];
    }
  }
  return result;
}

// The frames of a stack with their names, in order.
class NamedStack {
 public:
  explicit NamedStack(std::span<const std::uintptr_t> stack) : stack_(stack) {
    for (const std::uintptr_t address : stack) by_address_.push_back({.address = address});
    std::sort(by_address_.begin(), by_address_.end(), is_before);
    names_.assign(by_address_);
  }

  [[nodiscard]] std::size_t size() const { return stack_.size(); }
  [[nodiscard]] const NamedAddress& frame(std::size_t number) const {
    return *std::lower_bound(by_address_.begin(), by_address_.end(),
                             NamedAddress{.address = stack_[number]}, is_before);
  }
  [[nodiscard]] std::string function(std::size_t number) const {
    return without_template_arguments(stacks::demangled(frame(number).function));
  }

 private:
  static bool is_before(const NamedAddress& a, const NamedAddress& b) {
    return a.address < b.address;
  }

  std::span<const std::uintptr_t> stack_;
  std::vector<NamedAddress> by_address_;
  stacks::ElfNames names_;
};

// Frames of the check itself stand before the operation; they tell nothing.
std::size_t first_telling_frame(const NamedStack& stack) {
  constexpr std::size_t kOwnFramesMax = 12;
  std::size_t first = 0;
  for (std::size_t i = 0; i < stack.size() && i < kOwnFramesMax; ++i) {
    const std::string function = stack.function(i);
    for (const std::string_view own : {"vigil::maps::internal::AccessCheck::", "vigil::stacks::",
                                       "vigil::maps::internal::report_misuse"}) {
      if (function.starts_with(own)) first = i + 1;
    }
  }
  return first < stack.size() ? first : 0;
}

void add_side(ReportText& report, MisuseSide& side, std::string_view state) {
  const std::string_view operation = to_string(side.operation);
  report.line("vigil: %.*s by thread %d \"%.*s\", %.*s", static_cast<int>(operation.size()),
              operation.data(), side.thread, static_cast<int>(side.thread_name.size()),
              side.thread_name.data(), static_cast<int>(state.size()), state.data());
  if (side.stack.empty()) {
    report.line("    (no stack: %.*s)", static_cast<int>(side.no_stack_because.size()),
                side.no_stack_because.data());
    return;
  }
  const NamedStack named(side.stack);
  const std::size_t first = first_telling_frame(named);
  for (std::size_t i = first; i < named.size(); ++i) {
    const NamedAddress& frame = named.frame(i);
    const std::string function = named.function(i);
    report.line("    #%zu 0x%" PRIxPTR " in %.300s (%.*s+0x%" PRIxPTR ")", i - first, frame.address,
                function.empty() ? "??" : function.c_str(),
                static_cast<int>(std::min<std::size_t>(frame.module.size(), 120)),
                frame.module.data(), frame.module_offset);
  }
  side.stack = side.stack.subspan(first);
}

std::string_view why_no_stack(CaptureRequest request) {
  return request == CaptureRequest::kThreadIsGone
             ? "the thread has ended"
             : "the thread did not answer in time: it blocks signals, is stopped or starved";
}

void write_report(ReportText& report, MapMisuse& misuse) {
  const std::string_view kind = to_string(misuse.kind);
  report.line("fatal error: %.*s", static_cast<int>(kind.size()), kind.data());
  report.line("vigil: map \"%.*s\" at %p", static_cast<int>(misuse.map_name.size()),
              misuse.map_name.data(), misuse.map);
  add_side(report, misuse.current, "running");
  add_side(report, misuse.other,
           misuse.other.inside ? "inside the operation" : "after the operation");
  report.line("vigil: end of report");
}

// What could be had of the other thread.
struct OtherThread {
  OtherThread(pid_t thread, const std::function<std::uint64_t()>& word_now)
      : id(thread), word(word_now()), request(ask(thread)) {
    const bool has_answered = stacks::is_answered(other_stack, id);
    if (has_answered) stack = other_stack.frames();
    inside = has_answered && AccessWord::active(word) && AccessWord::thread(word) == id &&
             word_now() == word;
  }
  ~OtherThread() { stacks::release(&other_stack); }
  OtherThread(const OtherThread&) = delete;
  OtherThread& operator=(const OtherThread&) = delete;

  static CaptureRequest ask(pid_t thread) {
    if (!stacks::ensure_capture_signal()) return CaptureRequest::kRefused;
    const CaptureRequest request = stacks::request_capture(thread, &other_stack);
    if (request == CaptureRequest::kSent) {
      stacks::await_captures({&other_stack, 1}, kAnswerPatience_ms);
    }
    return request;
  }

  pid_t id;
  std::uint64_t word;
  CaptureRequest request;
  std::span<const std::uintptr_t> stack;  // empty if it did not answer
  bool inside = false;  // one operation, that of `word`, ran while the stack was taken
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
  CapturedStack own = {};
  stacks::capture_self(&own);
  const MapOperation seen = AccessWord::operation(found.other_word);
  const MapOperation other_operation = other.inside ? AccessWord::operation(other.word) : seen;
  MapMisuse misuse{
      .kind = kind_of(found.operation, seen),
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
                .stack = other.stack,
                .no_stack_because = other.stack.empty() ? why_no_stack(other.request) : ""},
      .text = {}};
  dispose(misuse, found);
}

}  // namespace vigil::maps::internal
