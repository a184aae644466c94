// SPDX-License-Identifier: Apache-2.0
//
// Triage of one input: who collides with whom on which map, in which layers, how sure that is, and
// what all the other threads do.
//
// Use instead: evidence.h for the findings as they are in the input.
//
// Thread safety: none. Errors: InputReport::damage.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/report/report.h"
#include "vigil/tools/evidence/collision.h"
#include "vigil/tools/evidence/evidence.h"
#include "vigil/tools/layers/layers.h"
#include "vigil/tools/triage/groups.h"
#include "vigil/tools/triage/source_tree.h"

namespace vigil::tools::triage {

// Everything that is to be said about one input.
struct InputReport {
  std::string path;
  std::string format;
  std::string program;
  // Of the first finding; if there is none: "dump", "clean", "incomplete" for an input that ends
  // early, "unreadable" for one with damage.
  std::string kind;
  std::vector<evidence::Collision> collisions;
  std::vector<report::Finding> other_findings;  // deadlocks, crashes, leaks: no two sides
  std::vector<Group> groups;
  std::uint64_t reports = 0;  // findings, with their occurrences
  std::uint64_t threads = 0;
  std::vector<std::string> warnings;
  // What was not read to its end or not understood, with the file and the line.
  std::vector<std::string> damage;
  bool truncated = false;
  std::optional<std::string> detector_proof;

  [[nodiscard]] bool has_findings() const { return !collisions.empty() || !other_findings.empty(); }
  // Nothing is known about a part of the input, and what is known does not speak for itself.
  [[nodiscard]] bool is_doubtful() const {
    return !damage.empty() || (truncated && !has_findings());
  }
};

struct TriageOptions {
  std::string format;  // evidence::formats(); empty: detect
  input::OnProgress on_progress;
  std::string executable;  // of a core, or of a log that lacks names
};

// "data race", "concurrent map writes", "deadlock", ...
std::string kind_name(report::Kind kind);

// A log, a document, a core file or the number of a process; compressed, or an archive of such
// files, each of which has a report. Sources name maps and operations that the input does not. An
// input that cannot be read has a report that says so.
std::vector<InputReport> triage_input(const std::string& path, const TriageOptions& options,
                                      const layers::Rules& rules, SourceTree& sources);

}  // namespace vigil::tools::triage
