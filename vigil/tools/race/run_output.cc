// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/run_output.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "vigil/report/report_json.h"
#include "vigil/text/visible.h"
#include "vigil/tools/output_file.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools::race {
namespace {

constexpr std::int64_t kProgressInterval_ms = 100;
constexpr std::size_t kOutputLines = 40;

std::int64_t steady_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return grouped(count) + " " + std::string(count == 1 ? one : many);
}

std::string totals_text(const CampaignTotals& totals) {
  std::string text = counted(totals.schedules, "schedule", "schedules");
  if (totals.scheduling_points != 0)
    text += ", " + counted(totals.scheduling_points, "scheduling point", "scheduling points");
  if (totals.virtual_seconds >= 1)
    text +=
        ", " + grouped(static_cast<std::uint64_t>(totals.virtual_seconds)) + " s of virtual time";
  return text;
}

// The end of what the program printed, each line marked.
std::string quoted_output(std::string_view output) {
  if (output.empty()) return "";
  std::string text = "  The program printed:\n";
  if (output.ends_with('\n')) output.remove_suffix(1);
  std::size_t begin = output.size();
  for (std::size_t lines = 0; lines < kOutputLines && begin != 0; ++lines) {
    const std::size_t before = output.rfind('\n', begin - 1);
    begin = before == std::string_view::npos ? 0 : before;
  }
  if (begin != 0) text += "    | ...\n";
  output.remove_prefix(begin == 0 ? 0 : begin + 1);
  while (!output.empty()) {
    const std::size_t end = output.find('\n');
    text.append(output_line("    | " + std::string(output.substr(0, end)))).append("\n");
    output.remove_prefix(end == std::string_view::npos ? output.size() : end + 1);
  }
  return text + "\n";
}

}  // namespace

RunOutput::RunOutput(const RaceOptions& options)
    : options_(options),
      stream_(options.json == "-" ? STDERR_FILENO : STDOUT_FILENO),
      has_terminal_(has_cursor(STDERR_FILENO) && options.schedules > 1) {
  style_ = style_for(stream_);
}

void RunOutput::print(std::string_view text) {
  std::FILE* const file = stream_ == STDOUT_FILENO ? stdout : stderr;
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

void RunOutput::show(const ScheduleResult& result, const std::vector<report::Finding>& news,
                     const CampaignTotals& totals) {
  if (!options_.events.empty() && !events_are_of_finding_) {
    events_ = result.outcome.records;
    events_are_of_finding_ = !result.findings.empty();
  }
  if (news.empty()) return show_progress(totals);
  clear_progress();
  for (const report::Finding& finding : news) print(text_report(finding, style_) + "\n");
  print(quoted_output(result.outcome.output));
}

void RunOutput::show_progress(const CampaignTotals& totals) {
  if (!has_terminal_) return;
  const std::int64_t now_ms = steady_ms();
  if (now_ms - progress_at_ms_ < kProgressInterval_ms) return;
  progress_at_ms_ = now_ms;
  progress_shown_ = true;
  std::fprintf(stderr, "\r\033[K%s of %s", totals_text(totals).c_str(),
               grouped(options_.schedules).c_str());
  std::fflush(stderr);
}

void RunOutput::clear_progress() {
  if (!progress_shown_) return;
  std::fputs("\r\033[K", stderr);
  progress_shown_ = false;
}

void RunOutput::close(const Campaign& campaign, const Suppressions* suppressions) {
  clear_progress();
  const CampaignTotals& totals = campaign.totals();
  for (const std::string& note : totals.notes) print(output_line("vigil: note: " + note) + "\n");
  for (const auto& [status, exits] : totals.exits) {
    print("vigil: note: the program exited with " + std::to_string(status) + " in " +
          counted(exits.count, "schedule", "schedules") + " (first with seed " +
          std::to_string(exits.first_seed) + ")\n");
  }
  if (suppressions != nullptr) {
    if (suppressions->uses() != 0) {
      print("vigil: " + counted(suppressions->uses(), "finding was", "findings were") +
            " suppressed\n");
    }
    for (const std::string& line : suppressions->unused())
      print(output_line("vigil: note: this suppression was not needed: " + line) + "\n");
  }
  const std::size_t count = campaign.table().findings().size();
  print("vigil: " + (count == 0 ? "no finding" : counted(count, "finding", "findings")) + " in " +
        totals_text(totals) + "\n");
}

Result<void> RunOutput::write_files(const Campaign& campaign) const {
  if (!options_.events.empty()) {
    if (Result<void> written = write_output(options_.events, events_); !written) return written;
  }
  if (options_.json.empty()) return {};
  report::RunReport report;
  report.findings = campaign.table().findings();
  report.schedules = campaign.totals().schedules;
  report.scheduling_points = campaign.totals().scheduling_points;
  report.virtual_seconds = campaign.totals().virtual_seconds;
  report.program = options_.program;
  report.mode = options_.mode;
  return write_output(options_.json, text::visible_json(report::to_json(report)) + "\n");
}

}  // namespace vigil::tools::race
