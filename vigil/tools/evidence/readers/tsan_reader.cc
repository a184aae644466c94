// SPDX-License-Identifier: Apache-2.0
//
// ThreadSanitizer's text: a report stands between two lines of '=' and consists of sections, each a
// headline with two spaces in front and a stack with four.
#include <string>
#include <utility>
#include <vector>

#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

using report::Finding;
using report::Kind;
using report::Operation;

constexpr std::string_view kWarning = "WARNING: ThreadSanitizer: ";

Kind kind_of(std::string_view what) {
  if (what.starts_with("data race") || what.starts_with("race on")) return Kind::kRace;
  if (what.starts_with("heap-use-after-free")) return Kind::kUseAfterFree;
  if (what.starts_with("thread leak")) return Kind::kLeak;
  if (what.find("mutex") != std::string_view::npos || what.starts_with("lock-order")) {
    return Kind::kLockMisuse;
  }
  return Kind::kOther;
}

Operation operation_of(std::string_view headline) {
  const bool atomic = headline.find("tomic ") != std::string_view::npos;
  if (headline.find("rite of size") != std::string_view::npos) {
    return atomic ? Operation::kAtomicWrite : Operation::kWrite;
  }
  return atomic ? Operation::kAtomicRead : Operation::kRead;
}

// "main thread", "thread T2 'cleaner'"; -1 if the text says neither.
std::int64_t thread_in(std::string_view text) {
  if (text.find("main thread") != std::string_view::npos) return 0;
  Scanner scan(text);
  if (!scan.until("hread T")) return -1;
  const std::optional<std::uint64_t> number = scan.number();
  return number && *number <= INT32_MAX ? static_cast<std::int64_t>(*number) : -1;
}

std::string quoted_in(std::string_view text) {
  Scanner scan(text);
  if (!scan.until("'")) return {};
  return std::string(scan.until("'").value_or(""));
}

// The last "(...)" of the text, taken off it.
std::string_view take_parentheses(std::string_view* text) {
  if (!text->ends_with(')')) return {};
  const std::size_t open = text->rfind(" (");
  if (open == std::string_view::npos) return {};
  const std::string_view inside = text->substr(open + 2, text->size() - open - 3);
  *text = text->substr(0, open);
  return inside;
}

// "svc::put(int) dir/file.cc:17:3 (program+0x2a) (BuildId: 12)" without its number.
report::Frame frame_of(std::string_view text) {
  report::Frame frame;
  std::string_view module = take_parentheses(&text);
  if (module.starts_with("BuildId:")) module = take_parentheses(&text);
  if (const std::size_t plus = module.rfind("+0x"); plus != std::string_view::npos) {
    frame.module = module.substr(0, plus);
    frame.address = Scanner(module.substr(plus + 1)).hex().value_or(0);
  }
  const std::size_t space = text.rfind(' ');
  const std::string_view function = text.substr(0, space);
  if (function != "<null>") frame.function = function;
  if (space == std::string_view::npos) return frame;
  const FilePosition position = file_position(text.substr(space + 1));
  if (position.file == "<null>") return frame;
  frame.file = position.file;
  frame.line = position.line;
  frame.column = position.column;
  return frame;
}

class TsanReader : public LineHandler {
 public:
  explicit TsanReader(Sink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (text.starts_with(kWarning)) {
      end_report();
      return begin_report(text);
    }
    if (!in_report_) return outside(text);
    if (text.starts_with("====") || text.starts_with("SUMMARY: ThreadSanitizer")) {
      return end_report();
    }
    if (text.empty()) {
      stack_ = nullptr;
    } else if (text.starts_with("    #")) {
      frame(text.substr(5));
    } else if (text.starts_with("  ")) {
      section(text.substr(2));
    }
  }

  void finish() override {
    if (!in_report_) return;
    sink_.on_truncated();
    end_report();
  }

 private:
  void begin_report(std::string_view text) {
    if (!seen_) sink_.on_format("tsan");
    seen_ = true;
    in_report_ = true;
    finding_ = {};
    locks_.clear();
    stack_ = nullptr;
    std::string_view what = text.substr(kWarning.size());
    if (const std::size_t pid = what.find(" (pid="); pid != std::string_view::npos) {
      what = what.substr(0, pid);
    }
    finding_.kind = kind_of(what);
    finding_.message = what;
    sink_.on_proof(text);
  }

  void outside(std::string_view text) {
    const bool reported = text.starts_with("ThreadSanitizer: reported ");
    if (!reported && text.find("Running under ThreadSanitizer") == std::string_view::npos) return;
    if (!seen_) sink_.on_format("tsan");
    seen_ = true;
    sink_.on_proof(text);
  }

  void section(std::string_view text) {
    stack_ = nullptr;
    if (text.find(" of size ") != std::string_view::npos && text.find(" by ") != text.npos &&
        !text.starts_with("Location")) {
      access(text);
    } else if (text.starts_with("Location is ")) {
      location(text.substr(12));
    } else if (text.starts_with("Thread T")) {
      thread(text);
    } else if (text.starts_with("Mutex M")) {
      mutex(text.substr(6));
    }
  }

  void access(std::string_view text) {
    report::Access access;
    access.operation = operation_of(text);
    Scanner scan(text);
    scan.until(" of size ");
    access.size = static_cast<std::uint32_t>(scan.number().value_or(0));
    if (scan.accept(" at ")) access.address = scan.hex().value_or(0);
    scan.until(" by ");
    access.thread = thread_in(scan.rest());
    if (scan.until("(mutexes: ")) access.locks = locks_in(scan.rest());
    if (finding_.accesses.size() < kAccessesMax) finding_.accesses.push_back(std::move(access));
    stack_ = &finding_.accesses.back().stack;
  }

  // "write M1, read M2):"
  static std::vector<report::Lock> locks_in(std::string_view text) {
    std::vector<report::Lock> locks;
    Scanner scan(text);
    while (locks.size() < kLocksMax) {
      report::Lock lock;
      if (scan.accept("write ")) {
        lock.kind = "mutex";
      } else if (scan.accept("read ")) {
        lock.kind = "shared mutex (read)";
      } else {
        break;
      }
      const std::size_t end = scan.rest().find_first_of(",)");
      lock.name = scan.rest().substr(0, end);
      scan.accept(lock.name);
      locks.push_back(std::move(lock));
      if (!scan.accept(", ")) break;
    }
    return locks;
  }

  void location(std::string_view text) {
    report::Location& location = finding_.location;
    Scanner scan(text);
    if (scan.accept("global ")) {
      location.kind = report::Location::Kind::kGlobal;
      location.object = quoted_in(scan.rest());
      if (location.object == "<null>") location.object.clear();
    } else if (scan.accept("heap block")) {
      location.kind = report::Location::Kind::kHeap;
      location.thread = thread_in(text);
      stack_ = &location.allocated_at;
    } else if (scan.accept("stack of ")) {
      location.kind = report::Location::Kind::kStack;
      location.thread = thread_in(text);
    } else if (scan.accept("TLS of ")) {
      location.kind = report::Location::Kind::kThreadLocal;
      location.thread = thread_in(text);
    } else if (scan.accept("file descriptor")) {
      location.kind = report::Location::Kind::kFile;
    }
    if (scan.until(" of size ")) location.size = scan.number().value_or(0);
    if (scan.until(" at ")) location.address = scan.hex().value_or(0);
  }

  void thread(std::string_view text) {
    report::Thread thread;
    thread.id = thread_in(text);
    Scanner scan(text);
    const std::string_view head = scan.until(" (tid=").value_or("");
    thread.name = quoted_in(head);
    if (scan.until(", ")) thread.state = scan.until(")").value_or("");
    if (scan.until("created by ")) thread.created_by = thread_in(scan.rest());
    if (finding_.threads.size() < kThreadsOfReportMax) finding_.threads.push_back(thread);
    stack_ = &finding_.threads.back().created_at;
  }

  // "M1 (0x7b10) created at:"
  void mutex(std::string_view text) {
    Scanner scan(text);
    const std::string_view name = scan.until(" (").value_or("");
    if (name.empty() || locks_.size() == kLocksMax) return;
    locks_.emplace_back();
    locks_.back().name = name;
    locks_.back().address = scan.hex().value_or(0);
  }

  void frame(std::string_view text) {
    Scanner scan(text);
    if (!scan.number() || !scan.accept(" ") || stack_ == nullptr) return;
    if (stack_->size() < kFramesMax) stack_->push_back(frame_of(scan.rest()));
  }

  void end_report() {
    if (!in_report_) return;
    in_report_ = false;
    stack_ = nullptr;
    for (report::Access& access : finding_.accesses) {
      for (report::Lock& lock : access.locks) {
        for (const report::Lock& known : locks_) {
          if (known.name == lock.name) lock.address = known.address;
        }
      }
    }
    sink_.on_finding(std::move(finding_));
    finding_ = {};
  }

  static constexpr std::size_t kAccessesMax = 16;
  static constexpr std::size_t kThreadsOfReportMax = 64;
  static constexpr std::size_t kLocksMax = 64;

  Sink& sink_;
  bool seen_ = false;
  bool in_report_ = false;
  Finding finding_;
  std::vector<report::Lock> locks_;  // the "Mutex M1" sections
  report::Stack* stack_ = nullptr;   // of the section at hand
};

}  // namespace

std::unique_ptr<LineHandler> make_tsan_reader(Sink& sink) {
  return std::make_unique<TsanReader>(sink);
}

}  // namespace vigil::tools::evidence
