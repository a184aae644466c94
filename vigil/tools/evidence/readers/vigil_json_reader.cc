// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <variant>

#include "vigil/report/report_json.h"
#include "vigil/tools/evidence/documents.h"

namespace vigil::tools::evidence {

namespace {

void pass_on(report::Evidence&& evidence, Sink& sink) {
  if (!evidence.program.empty()) sink.on_program(evidence.program);
  if (evidence.detector_proof) sink.on_proof(*evidence.detector_proof);
  for (report::Finding& finding : evidence.findings) sink.on_finding(std::move(finding));
  for (report::Thread& thread : evidence.threads) sink.on_thread(std::move(thread), 1);
  for (std::string& warning : evidence.warnings) sink.on_warning(std::move(warning));
  if (evidence.truncated) sink.on_truncated();
}

}  // namespace

Result<void> read_vigil_json(const std::string& text, Sink& sink) {
  // An evidence has "path", a report of a run has "schedules".
  std::variant<report::RunReport, report::ParseError> run = report::run_report_from_json(text);
  if (const auto* error = std::get_if<report::ParseError>(&run)) return Error{error->message};
  auto& report = std::get<report::RunReport>(run);
  sink.on_format("vigil-race");
  if (report.schedules > 0) {
    sink.on_proof("vigil race: " + std::to_string(report.schedules) + " schedules, " +
                  std::to_string(report.scheduling_points) + " scheduling points");
    if (!report.program.empty()) sink.on_program(report.program.front());
    for (report::Finding& finding : report.findings) sink.on_finding(std::move(finding));
    return {};
  }
  std::variant<report::Evidence, report::ParseError> other = report::evidence_from_json(text);
  if (const auto* error = std::get_if<report::ParseError>(&other)) return Error{error->message};
  pass_on(std::get<report::Evidence>(std::move(other)), sink);
  return {};
}

}  // namespace vigil::tools::evidence
