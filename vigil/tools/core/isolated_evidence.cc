// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/isolated_evidence.h"

#include <functional>
#include <utility>
#include <variant>

#include "vigil/report/report_json.h"
#include "vigil/tools/isolation/isolated_reader.h"

namespace vigil::tools {
namespace {

using Read = std::function<Result<report::Evidence>()>;

Result<report::Evidence> read_apart(const Read& read, IsolationLimits limits) {
  Result<IsolatedReader> reader = IsolatedReader::start(
      [&read](std::string_view) -> Result<std::string> {
        const Result<report::Evidence> evidence = read();
        if (!evidence) return evidence.error();
        return report::to_json(*evidence);
      },
      limits);
  if (!reader) return reader.error();
  const Result<std::string> json = reader->ask("");
  if (!json) return json.error();
  std::variant<report::Evidence, report::ParseError> evidence = report::evidence_from_json(*json);
  if (const auto* error = std::get_if<report::ParseError>(&evidence)) {
    return Error{"its reader gave no evidence: " + error->message};
  }
  return std::get<report::Evidence>(std::move(evidence));
}

}  // namespace

Result<report::Evidence> read_core_evidence_apart(const std::string& path,
                                                  const CoreOptions& options) {
  return read_apart([&] { return read_core_evidence(path, options); }, {});
}

Result<report::Evidence> read_process_evidence_apart(pid_t process) {
  IsolationLimits limits;
  limits.may_trace = true;
  return read_apart([process] { return read_process_evidence(process); }, limits);
}

}  // namespace vigil::tools
