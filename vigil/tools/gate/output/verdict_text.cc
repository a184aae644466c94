// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/output/outputs.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::gate {
namespace {

constexpr std::size_t kFramesShown = 6;

constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kPlain = "\x1b[0m";

class TextWriter {
 public:
  explicit TextWriter(const TextOptions& options) : options_(options) {}

  std::string write(const Verdict& verdict) {
    for (const Issue& issue : verdict.issues) write_issue(issue);
    for (const std::string& note : verdict.notes) line("note: " + note);
    for (const std::string& reason : verdict.reasons) line("blocks: " + reason);
    write_proof(verdict);
    write_outcome(verdict);
    return std::move(text_);
  }

 private:
  void line(std::string_view text) {
    text_.append(output_line(std::string("vigil gate: ").append(text))).append("\n");
  }

  void painted(std::string_view colour, std::string_view text) {
    if (options_.colour) text_.append(colour);
    text_.append(text);
    if (options_.colour) text_.append(kPlain);
  }

  void write_issue(const Issue& issue) {
    std::string head(issue.blocks ? "[blocks] "
                                  : "[" + std::string(to_string(issue.status)) + "] ");
    head += issue.title;
    if (issue.occurrences > 1) head += " (" + std::to_string(issue.occurrences) + " reports)";
    line(head);
    if (!issue.status_reason.empty()) line("    " + issue.status_reason);
    if (issue.status != Issue::Status::kNew) return;
    for (const evidence::Side& side : issue.sides) write_side(issue, side);
    line("    fingerprint " + issue.fingerprint);
  }

  void write_side(const Issue& issue, const evidence::Side& side) {
    if (issue.from_scanner) return;
    line("    " + std::string(report::to_string(side.operation)) + " in " +
         std::string(layers::to_string(side.layer)) +
         (side.thread_name.empty() ? "" : ", thread " + side.thread_name));
    std::size_t shown = 0;
    for (const report::Frame& frame : side.stack) {
      if (++shown > kFramesShown) break;
      std::string text = "        " + (frame.function.empty() ? frame.module : frame.function);
      if (!frame.file.empty()) text += "  " + frame.file + ":" + std::to_string(frame.line);
      line(text);
    }
  }

  void write_proof(const Verdict& verdict) {
    for (const Input& input : verdict.inputs) {
      if (!input.proofs.empty()) line("proof: " + input.proofs.front());
    }
  }

  void write_outcome(const Verdict& verdict) {
    std::string counts;
    const auto add = [&counts](std::uint64_t count, std::string_view what) {
      if (count == 0) return;
      counts.append(counts.empty() ? " (" : ", ").append(std::to_string(count)).append(what);
    };
    if (const auto tests = tests_run(verdict)) add(*tests, *tests == 1 ? " test" : " tests");
    add(count_of(verdict, Issue::Status::kNew), " new");
    add(count_of(verdict, Issue::Status::kKnown), " known");
    add(count_of(verdict, Issue::Status::kSuppressed), " suppressed");
    if (!counts.empty()) counts += ")";
    const bool passed = verdict.outcome == Outcome::kPassed;
    text_.append("vigil gate: ").append(output_line(verdict.stage.name)).append(": ");
    painted(std::string(kBold) + std::string(passed ? kGreen : kRed), to_string(verdict.outcome));
    text_ += counts;
    if (!passed) {
      text_ +=
          verdict.next_stage_may_run ? "; the next stage may run" : "; the pipeline stops here";
    }
    text_ += '\n';
  }

  TextOptions options_;
  std::string text_;
};

}  // namespace

std::string to_text(const Verdict& verdict, const TextOptions& options) {
  return TextWriter(options).write(verdict);
}

}  // namespace vigil::tools::gate
