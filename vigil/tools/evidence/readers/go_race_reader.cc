// SPDX-License-Identifier: Apache-2.0
//
// Reports of Go's race detector: a line of '=', "WARNING: DATA RACE", sections separated by empty
// lines, a line of '='. A frame takes two lines, the function and its place. Reports follow each
// other directly.
#include <string>
#include <utility>

#include "vigil/tools/evidence/go_frame.h"
#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/map_operation.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

using report::Operation;

// "Read at", "Previous write at", "Atomic read at"; kUnknown for other lines.
Operation operation_of(std::string_view text) {
  Scanner scan(text);
  scan.accept("Previous ");
  const bool atomic = scan.accept("atomic ") || scan.accept("Atomic ");
  if (scan.accept("read at ") || scan.accept("Read at ")) {
    return atomic ? Operation::kAtomicRead : Operation::kRead;
  }
  if (scan.accept("write at ") || scan.accept("Write at ")) {
    return atomic ? Operation::kAtomicWrite : Operation::kWrite;
  }
  return Operation::kUnknown;
}

constexpr std::int64_t kMainGoroutine = 1;

class GoRaceReader : public LineHandler {
 public:
  explicit GoRaceReader(Sink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (text.ends_with("WARNING: DATA RACE")) {
      end_report();
      return begin_report(text);
    }
    if (!in_report_) return outside(text);
    if (text.starts_with("====")) return end_report();
    if (text.starts_with("      ")) {
      place(text.substr(6));
    } else if (text.starts_with("  ")) {
      function(text.substr(2));
    } else {
      section(text);
    }
  }

  void finish() override {
    if (!in_report_) return;
    sink_.on_truncated();
    end_report();
  }

 private:
  void begin_report(std::string_view text) {
    seen();
    in_report_ = true;
    finding_ = {};
    finding_.kind = report::Kind::kRace;
    finding_.message = "data race";
    stack_ = nullptr;
    sink_.on_proof(text);
  }

  void outside(std::string_view text) {
    const bool proves = (text.starts_with("Found ") && text.ends_with(" data race(s)")) ||
                        text.find("race detected during execution of test") != text.npos;
    if (!proves) return;
    seen();
    sink_.on_proof(text);
  }

  void seen() {
    if (!seen_) sink_.on_format("go-race");
    seen_ = true;
  }

  void section(std::string_view text) {
    stack_ = nullptr;
    const Operation operation = operation_of(text);
    if (operation != Operation::kUnknown) return access(operation, text);
    if (text.starts_with("Goroutine ")) thread(text);
  }

  void access(Operation operation, std::string_view text) {
    if (finding_.accesses.size() == kSectionsMax) return;
    report::Access access;
    access.operation = operation;
    Scanner scan(text);
    scan.until(" at ");
    access.address = scan.hex().value_or(0);
    scan.until(" by ");
    access.thread = goroutine(scan.rest());
    finding_.accesses.push_back(std::move(access));
    stack_ = &finding_.accesses.back().stack;
  }

  // "goroutine 9:", "main goroutine:"
  static std::int64_t goroutine(std::string_view text) {
    if (text.starts_with("main ")) return kMainGoroutine;
    Scanner scan(text);
    if (!scan.accept("goroutine ")) return -1;
    const std::optional<std::uint64_t> number = scan.number();
    return number && *number <= INT64_MAX ? static_cast<std::int64_t>(*number) : -1;
  }

  // "Goroutine 9 (running) created at:"
  void thread(std::string_view text) {
    if (finding_.threads.size() == kSectionsMax) return;
    report::Thread thread;
    Scanner scan(text);
    scan.accept("Goroutine ");
    thread.id = static_cast<std::int64_t>(scan.number().value_or(0));
    if (scan.accept(" (")) thread.state = scan.until(")").value_or("");
    finding_.threads.push_back(std::move(thread));
    stack_ = &finding_.threads.back().created_at;
  }

  void function(std::string_view text) {
    if (stack_ == nullptr || stack_->size() == kFramesMax || text.starts_with("[")) return;
    stack_->push_back(go_frame(text));
  }

  void place(std::string_view text) {
    if (stack_ != nullptr && !stack_->empty()) set_go_place(text, &stack_->back());
  }

  void end_report() {
    if (!in_report_) return;
    in_report_ = false;
    stack_ = nullptr;
    for (report::Access& access : finding_.accesses) {
      access.operation = refine(access.operation, access.stack);
    }
    sink_.on_finding(std::move(finding_));
    finding_ = {};
  }

  static constexpr std::size_t kSectionsMax = 16;

  Sink& sink_;
  bool seen_ = false;
  bool in_report_ = false;
  report::Finding finding_;
  report::Stack* stack_ = nullptr;  // of the section at hand
};

}  // namespace

std::unique_ptr<LineHandler> make_go_race_reader(Sink& sink) {
  return std::make_unique<GoRaceReader>(sink);
}

}  // namespace vigil::tools::evidence
