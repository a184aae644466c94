// SPDX-License-Identifier: Apache-2.0
//
// Config: how a vigild behaves, from built-in defaults, a TOML file and command-line flags, each
// overriding the one before. docs/configuration.md lists every setting.
//
// One table (setting.h) defines the settings; the file, the flags, --help and --print-config
// all follow from it. Every error names the place, the key, what was found and what is allowed.
//
// Thread safety: pure functions, except that secrets and the file are read from disk.
#pragma once

#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/server/config/options.h"

namespace vigil::server {

// Applies the text of a TOML file to *config; `name` is what errors call the file.
Result<void> apply_toml(std::string_view text, std::string_view name, Config* config);

// Reads the secret files and checks what depends on several settings.
Result<void> complete_config(Config* config);

// The effective settings as a TOML file that loads back to the same; no secrets, but the names of
// their files.
[[nodiscard]] std::string to_toml(const Config& config);

// What the command line asks for.
struct Invocation {
  enum class Action : std::uint8_t { kServe, kShowText };

  Action action = Action::kServe;
  std::string text;   // kShowText: help, version or the effective configuration
  bool demo = false;  // serve with a live order workload
  Config config;
};
Result<Invocation> parse_command_line(int argc, const char* const* argv);

}  // namespace vigil::server
