// SPDX-License-Identifier: Apache-2.0
//
// The dump that a process makes of its own threads; docs/thread-dump.md has its grammar. A thread
// inside a map says so itself, with the map's name and address. Two threads inside one map are no
// collision where the dump calls the map concurrent.
#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/map_occupants.h"
#include "vigil/tools/evidence/map_operation.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

using report::Operation;

std::string demangled(std::string_view linkage_name) {
  if (!linkage_name.starts_with("_Z")) return std::string(linkage_name);
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(std::string(linkage_name).c_str(), nullptr, nullptr, &status),
      &std::free);
  return status == 0 && name ? std::string(name.get()) : std::string(linkage_name);
}

std::int64_t thread_number(Scanner* scan) {
  return static_cast<std::int32_t>(scan->number().value_or(0) & INT32_MAX);
}

// "map write: "orders" (ShardedMap<int, Order>) at 0x564bb44ea5e0, concurrent"
struct MapLine {
  Operation operation = Operation::kUnknown;
  std::string name;
  std::string type;
  std::uint64_t address = 0;
  bool is_concurrent = false;
};

// "inside map write of "orders" (ShardedMap<int, Order>)"
std::string described(const MapLine& map) {
  std::string text = "inside ";
  text.append(report::to_string(map.operation)).append(" of \"").append(map.name).append("\"");
  if (!map.type.empty()) text.append(" (").append(map.type).append(")");
  return text;
}

std::optional<MapLine> map_line(std::string_view text) {
  Scanner scan(text);
  const std::optional<std::string_view> operation = scan.until(": \"");
  if (!operation) return std::nullopt;
  MapLine mark;
  mark.operation = report::operation_from(*operation).value_or(Operation::kUnknown);
  if (!report::is_map_operation(mark.operation)) return std::nullopt;
  mark.name = scan.until("\"").value_or("");
  const std::size_t at = scan.rest().rfind(" at 0x");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view type = scan.rest().substr(0, at);
  if (type.starts_with(" (") && type.ends_with(')')) mark.type = type.substr(2, type.size() - 3);
  mark.is_concurrent = scan.rest().ends_with(", concurrent");
  mark.address = Scanner(scan.rest().substr(at + 4)).hex().value_or(0);
  return mark;
}

class VigilDumpReader : public LineHandler {
 public:
  explicit VigilDumpReader(Sink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (text.starts_with("fatal error: ")) {
      fatal_ = report::Finding();
      fatal_->message = text;
      fatal_->kind = kind_of(text);
    } else if (text.starts_with("=== vigil thread dump of process ")) {
      if (in_dump_) finish();
      sink_.on_format("vigil-dump");
      in_dump_ = true;
    } else if (text.starts_with("=== end of thread dump")) {
      end_dump();
    } else if (in_dump_) {
      inside(text);
    } else if (fatal_ && text.starts_with("  ")) {
      if (const std::optional<MapLine> mark = map_line(text.substr(2))) set_object(*mark);
    }
  }

  void finish() override {
    if (in_dump_) sink_.on_truncated();
    end_dump();
  }

 private:
  // "fatal error: concurrent map writes at 0x1 in thread 7"
  static report::Kind kind_of(std::string_view text) {
    for (const report::Kind kind : {report::Kind::kMapWrites, report::Kind::kMapReadAndWrite,
                                    report::Kind::kMapIterationAndWrite}) {
      if (text.find(report::to_string(kind)) != text.npos) return kind;
    }
    return report::Kind::kCrash;
  }

  void set_object(const MapLine& mark) {
    fatal_->location.object = mark.name;
    fatal_->location.type = mark.type;
    fatal_->location.address = mark.address;
  }

  void inside(std::string_view text) {
    Scanner scan(text);
    if (scan.accept("thread ")) return headline(scan);
    if (!thread_) return;
    if (text.empty()) return end_thread();
    scan.skip_spaces();
    if (scan.accept("#")) return frame(scan);
    if (scan.accept("no answer: ")) {
      thread_->state += " (no answer: " + std::string(scan.rest()) + ")";
    } else if (const std::optional<MapLine> mark = map_line(scan.rest())) {
      mark_ = *mark;
    }
  }

  // 14363 "cleaner": blocked in clock_nanosleep, fatal
  void headline(Scanner scan) {
    end_thread();
    thread_.emplace();
    thread_->id = thread_number(&scan);
    if (scan.until("\"")) thread_->name = scan.until("\": ").value_or("");
    std::string_view state = scan.rest();
    constexpr std::string_view kFatal = ", fatal";
    is_fatal_ = state.ends_with(kFatal);
    if (is_fatal_) state.remove_suffix(kFatal.size());
    thread_->state = state;
  }

  // 0 0x7f7191aed545 FUNCTION+0x65 in MODULE+0xcf545
  void frame(Scanner scan) {
    if (!scan.number() || thread_->stack.size() == kFramesMax) return;
    scan.skip_spaces();
    report::Frame frame;
    frame.address = scan.hex().value_or(0);
    scan.skip_spaces();
    std::string_view function = scan.rest();
    if (const std::size_t in = function.rfind(" in "); in != std::string_view::npos) {
      const std::string_view module = function.substr(in + 4);
      const std::size_t plus = module.rfind("+0x");
      frame.module = module.substr(0, plus);
      if (plus != module.npos) frame.address = Scanner(module.substr(plus + 1)).hex().value_or(0);
      function = function.substr(0, in);
    }
    function = function.substr(0, function.rfind("+0x"));
    if (function != "?") frame.function = demangled(function);
    thread_->stack.push_back(std::move(frame));
  }

  void end_thread() {
    if (!thread_) return;
    if (mark_.address != 0) thread_->state.append(" ").append(described(mark_));
    if (mark_.operation == Operation::kUnknown) mark_.operation = map_operation(thread_->stack);
    const bool is_at_object =
        fatal_ && mark_.address != 0 && mark_.address == fatal_->location.address;
    if (fatal_ && (is_fatal_ || is_at_object)) add_to_fatal();
    if (!is_at_object && !mark_.is_concurrent)
      occupants_.add(*thread_, mark_.operation, mark_.address, mark_.name);
    sink_.on_thread(*std::move(thread_), 1);
    thread_.reset();
    mark_ = {};
    is_fatal_ = false;
  }

  // The fatal thread comes first in the dump.
  void add_to_fatal() {
    if (fatal_->accesses.size() == MapOccupants::kAccessesMax) return;
    report::Access access;
    access.thread = thread_->id;
    access.operation = mark_.operation;
    access.address = mark_.address;
    access.stack = thread_->stack;
    fatal_->accesses.push_back(std::move(access));
    fatal_->threads.push_back(*thread_);
  }

  void end_dump() {
    end_thread();
    // With VIGIL_TRACEBACK=none there is no dump behind the line.
    if (fatal_ && (in_dump_ || fatal_->location.address != 0)) {
      sink_.on_finding(*std::move(fatal_));
    }
    fatal_.reset();
    occupants_.report_to(sink_);
    in_dump_ = false;
  }

  Sink& sink_;
  bool in_dump_ = false;
  std::optional<report::Finding> fatal_;
  std::optional<report::Thread> thread_;  // being read
  MapLine mark_;                          // of that thread
  bool is_fatal_ = false;                 // that thread
  MapOccupants occupants_;
};

}  // namespace

std::unique_ptr<LineHandler> make_vigil_dump_reader(Sink& sink) {
  return std::make_unique<VigilDumpReader>(sink);
}

}  // namespace vigil::tools::evidence
