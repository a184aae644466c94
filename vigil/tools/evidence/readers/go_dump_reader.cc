// SPDX-License-Identifier: Apache-2.0
//
// Goroutine dumps: "goroutine 12 [running]:", frames of two lines each, an empty line. A crash says
// why in front of them. One goroutine may be printed twice; it is read once.
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "vigil/tools/evidence/go_crash.h"
#include "vigil/tools/evidence/go_frame.h"
#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/map_occupants.h"
#include "vigil/tools/evidence/map_operation.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

using report::Operation;

// "5 minutes" -> 300; 0 if the text is no duration.
double seconds_in(std::string_view text) {
  Scanner scan(text);
  const std::optional<std::uint64_t> number = scan.number();
  return number && scan.accept(" minutes") ? static_cast<double>(*number) * 60 : 0;
}

// "goroutine 12 gp=0xc000 m=0 [chan receive, 5 minutes, locked to thread]:"
std::optional<report::Thread> headline(std::string_view text) {
  Scanner scan(text);
  if (!scan.accept("goroutine ")) return std::nullopt;
  const std::optional<std::uint64_t> id = scan.number();
  if (!id || *id > INT64_MAX || !scan.accept(" ") || !text.ends_with(':')) return std::nullopt;
  const std::optional<std::string_view> before = scan.until("[");
  const std::optional<std::string_view> inside = scan.until("]");
  if (!before || !inside) return std::nullopt;
  report::Thread thread;
  thread.id = static_cast<std::int64_t>(*id);
  const std::size_t comma = inside->find(", ");
  thread.state = inside->substr(0, comma);
  if (comma != std::string_view::npos)
    thread.waiting_seconds = seconds_in(inside->substr(comma + 2));
  return thread;
}

class GoDumpReader : public LineHandler {
 public:
  explicit GoDumpReader(Sink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (std::optional<report::Thread> thread = headline(text)) {
      end_goroutine();
      seen("go-dump");
      goroutine_ = Goroutine{.thread = *std::move(thread)};
      return;
    }
    if (goroutine_) return inside(text);
    if (text.starts_with("fatal error: ") || text.starts_with("panic: ")) {
      crash(text);
    } else if (text.starts_with("SIGQUIT: ") || text.starts_with("goroutine profile: ")) {
      end_dump();
    }
  }

  void finish() override {
    end_goroutine();
    end_dump();
  }

 private:
  void seen(std::string_view format) {
    if (!seen_) sink_.on_format(format);
    seen_ = true;
  }

  void crash(std::string_view text) {
    const bool is_second = crash_ && !crash_->has_goroutines() && crash_->is_about_maps();
    if (is_second) return sink_.on_warning("the program also said: " + std::string(text));
    // "panic: ... [recovered]" is followed by the panic that ended the program.
    if (!crash_ || crash_->has_goroutines()) end_dump();
    crash_.emplace(text);
  }

  void inside(std::string_view text) {
    if (text.empty() || text.starts_with("----")) return end_goroutine();
    if (text.front() == '\t') return place(text.substr(1));
    if (text.starts_with("fatal error: ") || text.starts_with("exit status ")) {
      end_goroutine();
      return line(text);
    }
    Scanner scan(text);
    if (scan.accept("created by ")) return creator(scan.rest());
    if (text.starts_with("...") || text.starts_with("[originating")) return;
    frame(text);
  }

  // "main.main", since Go 1.21 "main.main in goroutine 1"
  void creator(std::string_view text) {
    constexpr std::string_view kIn = " in goroutine ";
    const std::size_t in = text.rfind(kIn);
    if (in != std::string_view::npos) {
      Scanner scan(text.substr(in + kIn.size()));
      goroutine_->thread.created_by = static_cast<std::int32_t>(scan.number().value_or(0));
    }
    report::Frame frame = go_frame(text.substr(0, in));
    if (frame.module.empty()) frame = go_frame(text);
    goroutine_->thread.created_at = {std::move(frame)};
    in_creation_ = true;
  }

  void frame(std::string_view text) {
    report::Stack& stack = goroutine_->thread.stack;
    if (in_creation_ || stack.size() == kFramesMax) return;
    report::Frame frame = go_frame(text);
    if (frame.function.empty() || frame.function.size() == text.size()) return;  // not a frame
    if (goroutine_->map == 0) goroutine_->map = go_map_pointer(text);
    stack.push_back(std::move(frame));
  }

  void place(std::string_view text) {
    report::Stack& stack = in_creation_ ? goroutine_->thread.created_at : goroutine_->thread.stack;
    if (!stack.empty()) set_go_place(text, &stack.back());
  }

  void end_goroutine() {
    in_creation_ = false;
    if (!goroutine_) return;
    Goroutine goroutine = *std::move(goroutine_);
    goroutine_.reset();
    if (ids_.contains(goroutine.thread.id)) return;
    // "goroutine running on other thread; stack unavailable": it may be printed again, with stack.
    if (goroutine.thread.stack.empty() && without_stack_.size() < kWithoutStackMax) {
      without_stack_.push_back(std::move(goroutine.thread));
      return;
    }
    // Past the bound a goroutine that is printed twice is counted twice.
    if (ids_.size() < kIdsMax) ids_.insert(goroutine.thread.id);
    goroutine.operation = map_operation(goroutine.thread.stack);
    if (crash_) {
      crash_->add(goroutine);
    } else if (goroutine.operation != Operation::kUnknown) {
      occupants_.add(goroutine.thread, goroutine.operation, goroutine.map);
    }
    sink_.on_thread(std::move(goroutine.thread), 1);
  }

  void end_dump() {
    for (report::Thread& thread : without_stack_) {
      if (ids_.insert(thread.id).second) sink_.on_thread(std::move(thread), 1);
    }
    without_stack_.clear();
    if (crash_ && (seen_ || crash_->is_about_maps())) {
      seen("go-dump");
      sink_.on_finding(crash_->finding());
    }
    crash_.reset();
    occupants_.report_to(sink_);
    ids_.clear();
  }

  static constexpr std::size_t kIdsMax = 1'000'000;
  static constexpr std::size_t kWithoutStackMax = 10'000;

  Sink& sink_;
  bool seen_ = false;
  std::optional<Goroutine> goroutine_;  // being read
  bool in_creation_ = false;            // behind its "created by"
  std::optional<GoCrash> crash_;
  MapOccupants occupants_;
  std::unordered_set<std::int64_t> ids_;
  std::vector<report::Thread> without_stack_;
};

}  // namespace

std::unique_ptr<LineHandler> make_go_dump_reader(Sink& sink) {
  return std::make_unique<GoDumpReader>(sink);
}

}  // namespace vigil::tools::evidence
