// SPDX-License-Identifier: Apache-2.0
//
// Results of a static scanner, read from SARIF 2.1.0.
//
// A file proves that the scanner ran if one of its runs says so: results, or an invocation that
// was successful. An empty result list without an invocation proves nothing.
//
// Thread safety: pure functions. Errors: what is no SARIF, or has its results elsewhere, gives an
// Error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/gate/issue.h"

namespace vigil::tools::gate {

struct ScanResults {
  std::vector<Issue> issues;
  std::optional<std::string> proof;
  std::vector<std::string> failures;  // runs that say that they did not complete
};

Result<ScanResults> read_sarif(std::string_view json, const SourcePaths& paths);

}  // namespace vigil::tools::gate
