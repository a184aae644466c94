// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "vigil/text/utf8.h"
#include "vigil/tools/layers/plain_name.h"
#include "vigil/tools/terminal.h"
#include "vigil/tools/triage/verdict.h"

namespace vigil::tools::triage {

namespace {

using evidence::Collision;
using evidence::Confidence;
using evidence::Side;

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string count_of(std::uint64_t count, std::string_view what) {
  std::string text = std::to_string(count);
  return text.append(" ").append(what).append(count == 1 ? "" : "s");
}

// The bytes of so many characters from the start of valid UTF-8.
std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t bytes = 0;
  while (bytes < text.size() && characters-- > 0) {
    bytes += text::utf8_character_size(text.substr(bytes));
  }
  return bytes;
}

class TextWriter {
 public:
  TextWriter(const layers::Rules& rules, const TextStyle& style) : rules_(rules), style_(style) {}

  std::string write(const InputReport& input) {
    headline(input);
    for (const std::string& warning : input.warnings) line("  note: " + warning, kDim);
    if (input.truncated) line("  note: the input ends in the middle of a report", kYellow);
    for (const Collision& collision : input.collisions) write(collision);
    for (const report::Finding& finding : input.other_findings) write(finding);
    write(input.groups);
    return std::move(text_);
  }

 private:
  void headline(const InputReport& input) {
    std::string text = input.path + " (" + input.format + "): " + input.kind;
    if (input.reports > 0) {
      text.append(", ").append(count_of(input.reports, "report"));
      text.append(", ").append(count_of(input.collisions.size(), "collision"));
    }
    if (input.threads > 0) text.append(", ").append(count_of(input.threads, "thread"));
    line(text, kBold);
  }

  void write(const Collision& collision) {
    line("");
    std::string text =
        "  " + std::string(evidence::to_string(collision.confidence)) + ": " + verdict(collision);
    // The sentence is the answer: it is wrapped, not cut.
    paragraph(text, collision.confidence == Confidence::kCertain ? kRed : kYellow);
    line("    " + kind_name(collision.kind) + ", " + count_of(collision.occurrences, "report"),
         kDim);
    for (const Side& side : collision.sides) write(side);
  }

  void write(const Side& side) {
    std::string text = "    " + thread_text(side) + ": ";
    text.append(report::to_string(side.operation)).append(", ");
    text.append(layers::to_string(side.layer));
    line(text);
    stack(side.stack);
    if (!side.created_at.empty()) {
      line("      created at", kDim);
      stack(side.created_at);
    }
  }

  static std::string thread_text(const Side& side) {
    std::string text = side.thread < 0 ? "thread" : "thread " + std::to_string(side.thread);
    if (!side.thread_name.empty()) text.append(" \"").append(side.thread_name).append("\"");
    return text;
  }

  void write(const report::Finding& finding) {
    line("");
    paragraph("  " + kind_name(finding.kind) + ": " + finding.message, kYellow);
    if (finding.occurrences > 1) line("    " + count_of(finding.occurrences, "report"), kDim);
    for (const report::Thread& thread : finding.threads) {
      line("    thread " + std::to_string(thread.id) + " " + thread.state);
      stack(thread.stack);
    }
  }

  void write(const std::vector<Group>& groups) {
    if (groups.empty()) return;
    line("");
    line("  Threads by stack:", kBold);
    const std::size_t shown = std::min(groups.size(), style_.groups_max);
    for (std::size_t i = 0; i < shown; ++i) write(groups[i]);
    if (shown < groups.size()) {
      line("  and " + count_of(groups.size() - shown, "more group") + " (--all shows them)", kDim);
    }
  }

  void write(const Group& group) {
    std::string text = "  " + count_of(group.count, "thread");
    std::string states;
    for (const auto& [state, count] : group.states) {
      states.append(states.empty() ? "" : ", ").append(state);
    }
    if (!states.empty()) text.append(" [").append(states).append("]");
    if (group.operation != report::Operation::kUnknown) {
      text.append(", inside ").append(report::to_string(group.operation));
    }
    text.append(", ").append(layers::to_string(group.layer));
    if (!group.name.empty()) text.append(", \"").append(group.name).append("\"");
    line(text);
    stack(group.stack);
  }

  // Frames of libraries below the place are folded: the place is what one looks for.
  void stack(const report::Stack& stack) {
    constexpr std::size_t kFramesShown = 12;
    const std::size_t place = rules_.attribute(stack).place;
    const std::size_t first = place > 1 ? place - 1 : 0;
    if (first > 0) line("      ... " + count_of(first, "frame") + " of the runtime", kDim);
    const std::size_t end = std::min(stack.size(), first + kFramesShown);
    for (std::size_t i = first; i < end; ++i) frame(stack[i], i == place);
    if (end < stack.size()) {
      line("      ... " + count_of(stack.size() - end, "frame") + " of callers", kDim);
    }
  }

  void frame(const report::Frame& frame, bool is_place) {
    std::string text = is_place ? "    > " : "      ";
    text.append(frame.function.empty() ? "?" : layers::plain_name(frame.function));
    if (!frame.file.empty()) {
      text.append("  ").append(frame.file);
      if (frame.line > 0) text.append(":").append(std::to_string(frame.line));
    } else if (!frame.module.empty() && frame.function.empty()) {
      text.append("  in ").append(frame.module);
    }
    line(text, is_place ? kBold : "");
  }

  void line(std::string_view text, std::string_view colour = {}) {
    std::string clean = output_line(text);
    const std::size_t room = style_.columns > 4 ? bytes_of(clean, style_.columns) : clean.size();
    if (room < clean.size()) {
      clean.resize(bytes_of(clean, style_.columns - 3));
      clean.append("...");
    }
    append(clean, colour);
  }

  void paragraph(std::string_view text, std::string_view colour) {
    constexpr std::string_view kIndent = "    ";
    const std::string clean = output_line(text);
    if (style_.columns <= 20) return append(clean, colour);
    std::string_view rest = clean;
    for (std::string_view indent; !rest.empty(); indent = kIndent) {
      const std::size_t room = bytes_of(rest, style_.columns - indent.size());
      std::size_t cut = room == rest.size() ? room : rest.substr(0, room + 1).rfind(' ');
      // Nothing but the indentation, or one long word.
      const bool has_no_blank = cut == std::string_view::npos || cut < 2 * kIndent.size();
      if (room < rest.size() && has_no_blank) cut = room;
      append(output_line(std::string(indent).append(rest.substr(0, cut))), colour);
      rest.remove_prefix(cut);
      if (rest.starts_with(' ')) rest.remove_prefix(1);
    }
  }

  void append(std::string_view text, std::string_view colour) {
    const bool coloured = style_.colour && !colour.empty();
    if (coloured) text_.append(colour);
    text_.append(text);
    if (coloured) text_.append(kPlain);
    text_.append("\n");
  }

  const layers::Rules& rules_;
  const TextStyle& style_;
  std::string text_;
};

}  // namespace

std::string to_text(const InputReport& input, const layers::Rules& rules, const TextStyle& style) {
  return TextWriter(rules, style).write(input);
}

}  // namespace vigil::tools::triage
