// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/log/log_command.h"

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/check.h"
#include "vigil/log/directory.h"
#include "vigil/log/log_reader.h"
#include "vigil/log/repair.h"
#include "vigil/text/json_writer.h"
#include "vigil/tools/command.h"
#include "vigil/tools/log/log_options.h"
#include "vigil/tools/log/record_text.h"
#include "vigil/tools/output_file.h"

namespace vigil::tools {
namespace {

using log::Directory;

int complain(const Error& error, int code) {
  std::fprintf(stderr, "vigil log: %s\n", error.message.c_str());
  return code;
}

// Text on the standard output, or JSON where it was asked for.
int put(const LogQuestion& question, const std::string& text, const std::string& json, int code) {
  const bool as_json = !question.json.empty();
  const Result<void> written = write_output(as_json ? question.json : "-", as_json ? json : text);
  return written ? code : complain(written.error(), kInternal);
}

// ---- dump ----

// A file of any size, written as it comes.
class LineOutput {
 public:
  explicit LineOutput(const std::string& path)
      : file_(path.empty() || path == "-" ? stdout : std::fopen(path.c_str(), "we")) {}
  ~LineOutput() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }
  LineOutput(const LineOutput&) = delete;
  LineOutput& operator=(const LineOutput&) = delete;

  void write(std::string_view line) {
    good_ =
        good_ && file_ != nullptr && std::fwrite(line.data(), 1, line.size(), file_) == line.size();
  }
  [[nodiscard]] bool finish() { return good_ && file_ != nullptr && std::fflush(file_) == 0; }

 private:
  std::FILE* file_;
  bool good_ = true;
};

Result<log::Position> beginning(const LogQuestion& question, const Directory& directory) {
  if (question.from_is_given) return question.from;
  const Result<log::DirectoryListing> listing = directory.list();
  if (!listing) return listing.error();
  if (!listing->snapshots.empty()) return listing->snapshots.back().begin;
  return listing->segments.empty() ? 0 : listing->segments.front().begin;
}

int dump(const LogQuestion& question) {
  const Result<std::unique_ptr<Directory>> directory = Directory::open_to_read(question.directory);
  if (!directory) return complain(directory.error(), kUsage);
  const Result<log::Position> from = beginning(question, **directory);
  if (!from) return complain(from.error(), kUsage);
  LineOutput output(question.json);
  const bool as_json = !question.json.empty();
  std::uint64_t left = question.limit;
  log::ReadOptions options;
  options.from = *from;
  options.cut_bytes_max = UINT64_MAX;
  if (question.marks) {
    options.mark = [&](const log::LoggedMark& mark) {
      if (left > 0) output.write(as_json ? json_line(mark) : text_line(mark));
    };
  }
  const Result<log::LogEnd> end =
      log::read_log(**directory, options, [&](const log::LoggedRecord& record) {
        if (left == 0) return;
        --left;
        output.write(as_json ? json_line(record, question.values)
                             : text_line(record, question.values));
      });
  if (!output.finish()) return complain(Error{"the output cannot be written"}, kInternal);
  if (!end) return complain(end.error(), kFindings);
  if (end->cut) std::fprintf(stderr, "vigil log: %s\n", end->cut->sentence().c_str());
  return kClean;
}

// ---- check ----

std::string check_text(const LogQuestion& question, const log::CheckReport& report) {
  std::string text;
  for (const log::CheckFinding& finding : report.findings) {
    text += (finding.damage ? "damage: " : "torn tail: ") + finding.sentence + "\n";
  }
  text += question.directory + ": " + std::to_string(report.snapshots) + " snapshots with " +
          std::to_string(report.snapshot_records) + " records";
  if (report.log) {
    text += ", " + std::to_string(report.log->records) + " records in the log from position " +
            std::to_string(report.log->begin) + " to " + std::to_string(report.log->end) +
            (report.log->closed ? ", closed in order" : ", not closed in order");
  }
  if (report.unneeded_segments > 0) {
    text += "; " + std::to_string(report.unneeded_segments) +
            " segments before the snapshot are not needed and were not read";
  }
  return text + (report.clean() ? "\nclean\n" : "\n");
}

std::string check_json(const LogQuestion& question, const log::CheckReport& report) {
  std::string out;
  text::JsonWriter json(&out, {.indent = 2});
  json.begin_object();
  json.member("directory", question.directory);
  json.member("clean", report.clean());
  json.begin_array("findings");
  for (const log::CheckFinding& finding : report.findings) {
    json.begin_object();
    json.member("kind", finding.damage ? "damage" : "torn_tail");
    json.member("message", finding.sentence);
    json.end_object();
  }
  json.end_array();
  json.member("snapshots", report.snapshots);
  json.member("snapshot_records", report.snapshot_records);
  json.member("unneeded_segments", report.unneeded_segments);
  if (report.log) {
    json.begin_object("log");
    json.member("begin", report.log->begin);
    json.member("end", report.log->end);
    json.member("records", report.log->records);
    json.member("closed", report.log->closed);
    json.end_object();
  }
  json.end_object();
  return out + "\n";
}

int check(const LogQuestion& question) {
  const Result<std::unique_ptr<Directory>> directory = Directory::open_to_read(question.directory);
  if (!directory) return complain(directory.error(), kUsage);
  const Result<log::CheckReport> report = log::check_directory(**directory);
  if (!report) return complain(report.error(), kUsage);
  return put(question, check_text(question, *report), check_json(question, *report),
             report->clean() ? kClean : kFindings);
}

// ---- repair ----

std::string repair_json(const LogQuestion& question, const log::RepairReport& report) {
  std::string out;
  text::JsonWriter json(&out, {.indent = 2});
  json.begin_object();
  json.member("directory", question.directory);
  json.begin_array("steps");
  for (const std::string& step : report.steps) json.value(step);
  json.end_array();
  json.member("records", report.end.records);
  json.member("end", report.end.end);
  json.end_object();
  return out + "\n";
}

int repair(const LogQuestion& question) {
  bool renewed = false;
  const Result<std::unique_ptr<Directory>> directory =
      Directory::open_to_repair(question.directory, &renewed);
  if (!directory) return complain(directory.error(), kUsage);
  Result<log::RepairReport> report = log::repair_directory(**directory);
  if (!report) return complain(report.error(), kInternal);
  if (renewed) {
    report->steps.insert(report->steps.begin(),
                         question.directory +
                             "/FORMAT: made anew, with another id and secret: idempotency keys of "
                             "requests before are not recognised any more");
  }
  std::string text;
  for (const std::string& step : report->steps) text += "repaired: " + step + "\n";
  text += question.directory + ": " + std::to_string(report->end.records) +
          " records can be read up to position " + std::to_string(report->end.end) + "\n";
  return put(question, text, repair_json(question, *report),
             report->steps.empty() ? kClean : kFindings);
}

}  // namespace

int run_log(std::span<const char* const> arguments) {
  std::string help;
  const Result<LogQuestion> question = parse_log_question(arguments, &help);
  if (!question) return complain(question.error(), kUsage);
  if (!help.empty()) {
    std::fputs(help.c_str(), arguments.empty() ? stderr : stdout);
    return arguments.empty() ? kUsage : kClean;
  }
  switch (question->action) {
    case LogQuestion::Action::kDump:
      return dump(*question);
    case LogQuestion::Action::kCheck:
      return check(*question);
    case LogQuestion::Action::kRepair:
      return repair(*question);
  }
  return kInternal;
}

}  // namespace vigil::tools
