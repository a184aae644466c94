// SPDX-License-Identifier: Apache-2.0
//
// Stacks of all threads as gdb (`thread apply all bt`) and eu-stack print them.
//
//   Thread 2 (Thread 0x7ffff7bff6c0 (LWP 4711) "cleaner"):
//   #0  0x00007ffff7e0f9a5 in clock_nanosleep () from /lib/x86_64-linux-gnu/libc.so.6
//   #1  svc::SessionCache::drop (this=0x7ffe0, id=7) at map_bug.cc:18
//
//   TID 4711:
//   #0  0x00007f1eb5e0f9a5 clock_nanosleep
//       ./misc/../sysdeps/unix/sysv/linux/clock_nanosleep.c:48:7
//
// gdb shows `this` of a container's method: the map that the thread is in.
#include <optional>
#include <string>
#include <utility>

#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/map_occupants.h"
#include "vigil/tools/evidence/map_operation.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

// The threads of a dump, shared by both readers.
class StackCollector {
 public:
  StackCollector(Sink& sink, std::string_view format) : sink_(sink), format_(format) {}

  void begin(report::Thread&& thread) {
    end();
    if (!seen_) sink_.on_format(format_);
    seen_ = true;
    thread_ = std::move(thread);
    map_ = 0;
    map_name_.clear();
  }

  [[nodiscard]] bool in_thread() const { return thread_.has_value(); }
  report::Stack& stack() { return thread_->stack; }

  // `object` is the address of the method's object, `name` its variable; 0 and empty if not shown.
  void push(report::Frame&& frame, std::uint64_t object, std::string_view name) {
    if (stack().size() == kFramesMax) return;
    // The outermost method of the container has the map itself as `this`.
    if (map_operation_of(frame.function) != report::Operation::kUnknown && object != 0) {
      map_ = object;
      map_name_ = name;
    }
    stack().push_back(std::move(frame));
  }

  void end() {
    if (!thread_) return;
    const report::Operation operation = map_operation(thread_->stack);
    if (operation != report::Operation::kUnknown) {
      occupants_.add(*thread_, operation, map_, map_name_);
    }
    sink_.on_thread(*std::move(thread_), 1);
    thread_.reset();
  }

  void finish() {
    end();
    occupants_.report_to(sink_);
  }

 private:
  Sink& sink_;
  std::string_view format_;
  bool seen_ = false;
  std::optional<report::Thread> thread_;
  std::uint64_t map_ = 0;
  std::string map_name_;
  MapOccupants occupants_;
};

class GdbReader : public LineHandler {
 public:
  explicit GdbReader(Sink& sink) : threads_(sink, "gdb") {}

  void line(std::string_view text) override {
    if (std::optional<report::Thread> thread = headline(text)) {
      threads_.begin(*std::move(thread));
    } else if (threads_.in_thread()) {
      if (text.empty()) return threads_.end();
      if (text.starts_with('#')) frame(text.substr(1));
    }
  }

  void finish() override { threads_.finish(); }

 private:
  static std::optional<report::Thread> headline(std::string_view text) {
    Scanner scan(text);
    if (!scan.accept("Thread ") || !text.ends_with(':')) return std::nullopt;
    const std::optional<std::uint64_t> number = scan.number();
    if (!number || !scan.accept(" (")) return std::nullopt;
    if (!scan.accept("LWP ") && !scan.until("(LWP ")) return std::nullopt;
    report::Thread thread;
    thread.id = static_cast<std::int32_t>(scan.number().value_or(0));
    if (scan.until("\"")) thread.name = scan.until("\"").value_or("");
    return thread;
  }

  void frame(std::string_view text) {
    Scanner scan(text);
    if (!scan.number()) return;
    scan.skip_spaces();
    report::Frame frame;
    if (scan.rest().starts_with("0x")) {
      frame.address = scan.hex().value_or(0);
      scan.accept(" in ");
    }
    // "function (arguments) at file:line" or "... from library"
    const std::string_view rest = scan.rest();
    const std::size_t at = rest.rfind(") at ");
    const std::size_t from = rest.rfind(") from ");
    std::string_view call = rest;
    if (at != std::string_view::npos) {
      const FilePosition position = file_position(rest.substr(at + 5));
      frame.file = position.file;
      frame.line = position.line;
      call = rest.substr(0, at + 1);
    } else if (from != std::string_view::npos) {
      frame.module = rest.substr(from + 7);
      call = rest.substr(0, from + 1);
    }
    const std::size_t arguments = call.find(" (");
    const std::string_view function = call.substr(0, arguments);
    if (function != "??") frame.function = function;
    frame.inlined = frame.address == 0 && !threads_.stack().empty();
    Scanner object(call);
    const bool is_method = object.until(" (this=").has_value();
    const std::uint64_t address = is_method ? object.hex().value_or(0) : 0;
    const std::string_view name = object.accept(" <") ? object.until(">").value_or("") : "";
    threads_.push(std::move(frame), address, name);
  }

  StackCollector threads_;
};

class EuStackReader : public LineHandler {
 public:
  explicit EuStackReader(Sink& sink) : threads_(sink, "eu-stack") {}

  void line(std::string_view text) override {
    Scanner scan(text);
    if (scan.accept("TID ")) {
      const std::optional<std::uint64_t> id = scan.number();
      if (!id || !scan.accept(":")) return;
      report::Thread thread;
      thread.id = static_cast<std::int32_t>(*id);
      threads_.begin(std::move(thread));
    } else if (threads_.in_thread()) {
      inside(text);
    }
  }

  void finish() override { threads_.finish(); }

 private:
  void inside(std::string_view text) {
    if (text.starts_with('#')) return frame(text.substr(1));
    if (!text.starts_with("    ")) return threads_.end();
    if (threads_.stack().empty()) return;
    const FilePosition position = file_position(text.substr(text.find_first_not_of(' ')));
    report::Frame& frame = threads_.stack().back();
    frame.file = position.file;
    frame.line = position.line;
    frame.column = position.column;
  }

  // "0  0x00007f1e clock_nanosleep", "1  0x000055d1 - 1 main - /path/of/module"
  void frame(std::string_view text) {
    Scanner scan(text);
    if (!scan.number()) return;
    scan.skip_spaces();
    report::Frame frame;
    const std::optional<std::uint64_t> address = scan.hex();
    frame.inlined = !address;
    frame.address = address.value_or(0);
    scan.skip_spaces();
    if (scan.accept("- 1")) scan.skip_spaces();
    std::string_view function = scan.rest();
    if (const std::size_t module = function.rfind(" - /"); module != std::string_view::npos) {
      frame.module = function.substr(module + 3);
      function = function.substr(0, module);
    }
    if (!function.starts_with("0x") && function != "???") frame.function = function;
    threads_.push(std::move(frame), 0, "");
  }

  StackCollector threads_;
};

}  // namespace

std::unique_ptr<LineHandler> make_gdb_reader(Sink& sink) {
  return std::make_unique<GdbReader>(sink);
}

std::unique_ptr<LineHandler> make_eu_stack_reader(Sink& sink) {
  return std::make_unique<EuStackReader>(sink);
}

}  // namespace vigil::tools::evidence
