// SPDX-License-Identifier: Apache-2.0
//
// The command line of `vigil gate`.
//
// Thread safety: pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::tools::gate {

struct GateOptions {
  enum class Annotations { kAuto, kAlways, kNever };

  std::string stage;
  std::string policy_file;  // empty: the built-in policy
  std::vector<std::string> logs;
  std::vector<std::string> scans;
  std::string format;
  bool trust_log = false;
  std::string baseline_file;
  std::string write_baseline_file;
  std::vector<std::string> suppression_files;
  std::string layers_file;
  std::string root;
  std::string run_id;
  std::optional<std::chrono::year_month_day> today;
  std::string sarif_file;
  std::string junit_file;
  std::string summary_file;
  std::string json_file;
  Annotations annotations = Annotations::kAuto;
  std::vector<std::string> command;  // what follows "--"
};

struct GateInvocation {
  std::optional<std::string> help;  // to be printed instead of running
  GateOptions options;
};

Result<GateInvocation> parse_gate_options(std::span<const char* const> arguments);

struct ExplainOptions {
  std::string stage;
  std::string policy_file;
  bool toml = false;
};

struct ExplainInvocation {
  std::optional<std::string> help;
  ExplainOptions options;
};

Result<ExplainInvocation> parse_explain_options(std::span<const char* const> arguments);

}  // namespace vigil::tools::gate
