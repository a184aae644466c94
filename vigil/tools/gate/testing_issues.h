// SPDX-License-Identifier: Apache-2.0
//
// Issues for tests, made as the gate makes them: from findings.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "vigil/report/report.h"
#include "vigil/tools/evidence/collision.h"
#include "vigil/tools/gate/issue.h"

namespace vigil::tools::gate::testing_issues {

inline report::Access access(report::Operation operation, std::string_view function,
                             std::string_view file, int line = 7) {
  report::Access access;
  access.thread = line;
  access.operation = operation;
  access.stack.push_back(
      {.function = std::string(function), .file = std::string(file), .line = line, .module = {}});
  return access;
}

inline report::Finding race(report::Access first, report::Access second) {
  report::Finding finding;
  finding.kind = report::Kind::kRace;
  finding.accesses = {std::move(first), std::move(second)};
  return finding;
}

inline Issue issue(const report::Finding& finding) {
  evidence::CollisionTable table(layers::Rules::defaults());
  table.add(finding);
  return issue_of(table.sorted().front(), SourcePaths(""));
}

// A read-write conflict of two functions, both in `file`.
inline Issue read_write(std::string_view reader, std::string_view writer,
                        std::string_view file = "cache/cache.cc") {
  return issue(race(access(report::Operation::kRead, reader, file),
                    access(report::Operation::kWrite, writer, file)));
}

inline Issue write_write(std::string_view first, std::string_view second) {
  return issue(race(access(report::Operation::kWrite, first, "cache/cache.cc"),
                    access(report::Operation::kWrite, second, "cache/cache.cc")));
}

inline Issue scanned(std::string_view rule, std::string_view level) {
  Issue issue;
  issue.from_scanner = true;
  issue.rule = rule;
  issue.level = level;
  issue.title = std::string(rule) + ": something";
  issue.fingerprint = fingerprint_of({"scan", rule});
  return issue;
}

}  // namespace vigil::tools::gate::testing_issues
