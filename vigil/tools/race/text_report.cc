// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/text_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "vigil/text/hex.h"
#include "vigil/text/visible.h"
#include "vigil/tools/layers/plain_name.h"
#include "vigil/tools/race/finding_table.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::race {
namespace {

using report::Access;
using report::Finding;
using report::Frame;
using report::Kind;
using report::Location;
using report::Lock;
using report::Operation;
using report::Stack;
using report::Thread;

// Names come from the program: what a terminal would obey does not reach it. That a name
// is in an anonymous namespace is not worth its length.
std::string printable(std::string_view text) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  std::string result;
  while (!text.empty()) {
    if (text.starts_with(kAnonymous)) {
      text.remove_prefix(kAnonymous.size());
      continue;
    }
    result.push_back(text.front());
    text.remove_prefix(1);
  }
  return text::visible_text(result);
}

std::string bytes(std::uint64_t size) {
  return std::to_string(size) + (size == 1 ? " byte" : " bytes");
}

std::string_view title(Kind kind) {
  switch (kind) {
    case Kind::kRace:
      return "data race";
    case Kind::kUseAfterFree:
      return "use after free";
    default:
      return to_string(kind);
  }
}

std::string_view verb(Operation operation) {
  switch (operation) {
    case Operation::kRead:
      return "reads";
    case Operation::kWrite:
      return "writes";
    case Operation::kAtomicRead:
      return "atomically reads";
    case Operation::kAtomicWrite:
      return "atomically writes";
    case Operation::kFree:
      return "frees";
    case Operation::kMapRead:
      return "looks up in the map";
    case Operation::kMapWrite:
      return "writes to the map";
    case Operation::kMapErase:
      return "erases from the map";
    case Operation::kMapIterate:
      return "iterates over the map";
    case Operation::kUnknown:
      return "is";
  }
  return "is";
}

class Printer {
 public:
  Printer(const Finding& finding, const TextStyle& style) : finding_(finding), style_(style) {}

  std::string print() {
    line(emphasised("vigil: " + headline(finding_), "1;31"));
    if (!finding_.message.empty() && finding_.kind != Kind::kOther)
      line(output_line("  " + printable(finding_.message)));
    for (const Access& access : finding_.accesses) print_access(access);
    print_location();
    print_waiting();
    print_threads();
    print_replay();
    return std::move(text_);
  }

 private:
  void line(std::string_view text) { text_.append(text).append("\n"); }

  std::string emphasised(std::string_view text, std::string_view code) const {
    if (!style_.colour) return std::string(text);
    return std::string("\033[").append(code).append("m").append(text).append("\033[0m");
  }
  std::string name(std::int64_t id) const {
    return emphasised(printable(thread_name(finding_, id)), "1");
  }

  std::string place(const Frame& frame) const {
    if (frame.file.empty())
      return printable(frame.module) +
             (frame.address != 0 ? "+" + text::hex_number(frame.address) : "");
    std::string_view file = frame.file;
    if (!style_.folder.empty() && file.starts_with(style_.folder + "/"))
      file.remove_prefix(style_.folder.size() + 1);
    return printable(file) + (frame.line > 0 ? ":" + std::to_string(frame.line) : "");
  }

  // Long runs of library frames are folded: of those around a container's operation the innermost
  // and the outermost are shown, of those that started the thread none.
  void print_stack(const Stack& stack) {
    constexpr std::size_t kShortRun = 3;
    if (stack.empty()) return line("    (the stack is not known)");
    const std::size_t width = width_of(stack);
    for (std::size_t i = 0; i < stack.size();) {
      if (!is_library(stack[i])) {
        print_frame(i, stack[i], width);
        ++i;
        continue;
      }
      std::size_t end = i;
      while (end < stack.size() && is_library(stack[end])) ++end;
      const bool outermost = end == stack.size() && i != 0;
      if (outermost) {
        print_folded(end - i);
      } else if (end - i <= kShortRun) {
        for (std::size_t k = i; k < end; ++k) print_frame(k, stack[k], width);
      } else {
        print_frame(i, stack[i], width);
        print_folded(end - i - 2);
        print_frame(end - 1, stack[end - 1], width);
      }
      i = end;
    }
  }

  // The names in one column, the places in the next, as far as the names are of usual length.
  static std::size_t width_of(const Stack& stack) {
    constexpr std::size_t kWidthMax = 44;
    std::size_t width = 0;
    for (const Frame& frame : stack) {
      const std::size_t size = function_of(frame).size();
      if (size <= kWidthMax) width = std::max(width, size);
    }
    return width;
  }

  // Of a library's function the template arguments are noise.
  static std::string function_of(const Frame& frame) {
    if (frame.function.empty()) return "??";
    return printable(is_library(frame) ? layers::plain_name(frame.function) : frame.function);
  }

  void print_frame(std::size_t number, const Frame& frame, std::size_t width) {
    std::string function = function_of(frame);
    function.resize(std::max(function.size(), width), ' ');
    if (!is_library(frame)) function = emphasised(function, "1");
    std::string digits = std::to_string(number);
    digits.resize(std::max<std::size_t>(digits.size(), 2), ' ');
    line("    #" + digits + " " + function + "  " + place(frame) +
         (frame.inlined ? " (inlined)" : ""));
  }
  void print_folded(std::size_t count) {
    line("    ... " + std::to_string(count) + (count == 1 ? " library frame" : " library frames"));
  }

  std::string lock_name(const Lock& lock) const {
    std::string text = printable(lock.kind);
    if (!lock.name.empty()) text += " '" + printable(lock.name) + "'";
    if (lock.address != 0) text += " at " + text::hex_number(lock.address);
    return text;
  }

  void print_access(const Access& access) {
    const bool first = &access == &finding_.accesses.front();
    std::string text = "\n  " + name(access.thread) + " " + std::string(verb(access.operation));
    if (access.operation == Operation::kFree) {
      text += " the block";
    } else if (access.operation != Operation::kUnknown && access.size != 0) {
      text += " " + bytes(access.size) + " at " + text::hex_number(access.address);
    } else {
      text += " here";
    }
    if (!first) text += " (earlier)";
    line(text + ":");
    print_stack(access.stack);
    for (const Lock& lock : access.locks) {
      line("    holding " + lock_name(lock) + ", taken at " + short_place(lock.acquired_at));
    }
    const bool is_race = finding_.kind == Kind::kRace;
    if (is_race && first && access.locks.empty()) line("    holding no lock");
  }

  void print_location() {
    const Location& location = finding_.location;
    switch (location.kind) {
      case Location::Kind::kGlobal:
        if (location.object.empty()) return;
        line("\n  The memory is " + variable(location) + ".");
        return;
      case Location::Kind::kHeap:
        line("\n  The memory is a heap block of " + bytes(location.size) + " at " +
             text::hex_number(location.address) + ", allocated by " + name(location.thread) + ":");
        print_stack(location.allocated_at);
        return;
      case Location::Kind::kStack:
        line("\n  The memory is on the stack of " + name(location.thread) + ".");
        return;
      case Location::Kind::kThreadLocal:
        line("\n  The memory is a thread-local variable of " + name(location.thread) + ".");
        return;
      default:
        return;
    }
  }

  static std::string variable(const Location& location) {
    std::string text = "the global '" + printable(location.object) + "'";
    if (!location.type.empty()) text += " of type " + printable(location.type);
    if (location.size != 0) text += ", " + bytes(location.size);
    return text + " at " + text::hex_number(location.address);
  }

  void print_waiting() {
    for (const Thread& thread : finding_.threads) {
      if (thread.state.empty()) continue;
      line("\n  " + name(thread.id) + " is " + printable(thread.state) + object(thread) +
           holder(thread) + ":");
      print_stack(thread.stack);
    }
    for (const Thread& thread : finding_.threads) {
      for (const Lock& lock : thread.locks) {
        line("\n  " + name(thread.id) + " holds " + lock_name(lock) + ", taken at:");
        print_stack(lock.acquired_at);
      }
    }
    print_cycle();
  }

  std::string object(const Thread& thread) const {
    if (thread.waits_for == 0) return "";
    for (const Thread& other : finding_.threads) {
      for (const Lock& lock : other.locks) {
        if (lock.address == thread.waits_for && !lock.name.empty())
          return " on '" + printable(lock.name) + "'";
      }
    }
    return " on " + text::hex_number(thread.waits_for);
  }
  std::string holder(const Thread& thread) const {
    return thread.waits_for_thread < 0 ? "" : ", held by " + name(thread.waits_for_thread);
  }

  // "T1 -> T2 -> T1": each waits for the next.
  void print_cycle() {
    for (const Thread& start : finding_.threads) {
      std::string chain = thread_name(finding_, start.id);
      std::int64_t at = start.waits_for_thread;
      for (std::size_t steps = 0; at >= 0 && steps < finding_.threads.size(); ++steps) {
        chain += " waits for " + thread_name(finding_, at);
        if (at == start.id) return line("\n  Cycle: " + printable(chain) + ".");
        const auto next = std::find_if(finding_.threads.begin(), finding_.threads.end(),
                                       [&](const Thread& thread) { return thread.id == at; });
        at = next == finding_.threads.end() ? -1 : next->waits_for_thread;
        if (at >= 0) chain += ", which";
      }
    }
  }

  void print_threads() {
    for (const Thread& thread : finding_.threads) {
      if (thread.created_at.empty()) continue;
      line("\n  " + name(thread.id) + " was created by " + name(thread.created_by) + ":");
      print_stack(thread.created_at);
    }
  }

  void print_replay() {
    if (finding_.strategy.empty() && finding_.replay.empty()) return;
    std::string text = "\n  Seed " + std::to_string(finding_.seed);
    if (!finding_.strategy.empty()) text += ", strategy " + printable(finding_.strategy);
    if (finding_.scheduling_point != 0)
      text += ", scheduling point " + std::to_string(finding_.scheduling_point);
    line(text + (finding_.replay.empty() ? "." : ". To see it again:"));
    if (!finding_.replay.empty()) line(output_line("    " + printable(finding_.replay)));
  }

  const Finding& finding_;
  const TextStyle& style_;
  std::string text_;
};

}  // namespace

TextStyle style_for(int file) {
  TextStyle style;
  style.colour = has_colour(file);
  std::error_code error;
  style.folder = std::filesystem::current_path(error).string();
  return style;
}

std::string headline(const Finding& finding) {
  if (finding.kind == Kind::kOther) return printable(finding.message);
  std::string text(title(finding.kind));
  if (!finding.location.object.empty()) text += " on '" + printable(finding.location.object) + "'";
  return text;
}

std::string text_report(const Finding& finding, const TextStyle& style) {
  return Printer(finding, style).print();
}

std::string thread_name(const Finding& finding, std::int64_t id) {
  if (id < 0) return "an unknown thread";
  std::string name = id == 0 ? "main" : "";
  for (const Thread& thread : finding.threads) {
    if (thread.id == id && !thread.name.empty()) name = thread.name;
  }
  return "T" + std::to_string(id) + (name.empty() ? "" : " '" + name + "'");
}

std::string short_place(const Stack& stack) {
  const Frame* const place = place_of(stack);
  if (place == nullptr) return "an unknown place";
  const auto file_name = [](const std::string& path) {
    return std::filesystem::path(path).filename().string();
  };
  if (!place->file.empty()) return file_name(place->file) + ":" + std::to_string(place->line);
  if (!place->function.empty()) return printable(layers::plain_name(place->function));
  return file_name(place->module);
}

}  // namespace vigil::tools::race
