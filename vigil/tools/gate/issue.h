// SPDX-License-Identifier: Apache-2.0
//
// Issue: one thing that the gate judges, made from a collision of a race log, a finding without
// accesses (a deadlock, a crash), or a result of a static scanner. Every output of the gate is
// written from issues.
//
// Fingerprint: 128 bits over the sort of the issue and the unordered pair of its first application
// functions with the names of their files; for a scanner's result the rule, the file and the
// scanner's own hash, else the function or message. No line number, no address, no thread and no
// folder takes part, so it stays the same when code moves, in another checkout and on another
// machine.
//
// Thread safety: plain values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/evidence/collision.h"
#include "vigil/tools/gate/source_paths.h"

namespace vigil::tools::gate {

struct Issue {
  enum class Status : std::uint8_t {
    kNew,
    kKnown,       // in the baseline
    kSuppressed,  // by a rule of a suppressions file
  };

  std::string fingerprint;  // 32 hexadecimal digits
  std::string rule;         // "data-race", "concurrent-map-writes", or the scanner's own
  std::string title;        // one sentence
  std::string detector;     // "race detector", or the scanner's name
  std::string level;        // of a scanner's result: "error", "warning", "note"
  std::string object;       // what is fought over, if known
  std::string confidence;   // "certain", "likely", "one side"; empty for scanners
  bool from_scanner = false;
  bool write_write = false;
  std::uint64_t occurrences = 1;
  std::vector<evidence::Side> sides;  // files relative to the root where they lie below it
  Status status = Status::kNew;
  std::string status_reason;  // "known since 2026-11-02", "alice: flaky until #12"
  bool blocks = false;

  friend bool operator==(const Issue&, const Issue&) = default;
};

std::string_view to_string(Issue::Status status);

// 32 hexadecimal digits that name the parts; ("a", "bc") and ("ab", "c") differ.
std::string fingerprint_of(const std::vector<std::string_view>& parts);

Issue issue_of(const evidence::Collision& collision, const SourcePaths& paths);

// Of a finding without accesses: what its threads were doing is its identity.
Issue issue_of(const report::Finding& finding, const SourcePaths& paths,
               const layers::Rules& rules);

// "cache.(*Users).Set (cache/users.go:12)"
std::string place_of(const evidence::Side& side);

}  // namespace vigil::tools::gate
