// SPDX-License-Identifier: Apache-2.0
//
// The table of settings behind config.h: for each its key in the file, its flag, its form and
// limits, and where it goes in a Config. Internal to the configuration code.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/server/config/options.h"

namespace vigil::server {

struct Setting {
  enum class Form : std::uint8_t {
    kText,
    kSwitch,
    kInteger,
    kPowerOfTwo,
    kBytes,         // 1048576 or "1MiB"
    kMilliseconds,  // 30000 or "30s"
    kHash,          // a HashAlgorithm by name
    kEviction,      // a cache::EvictionPolicy by name
  };
  using Target =
      std::variant<std::string*, bool*, int*, std::uint16_t*, std::uint32_t*, std::uint64_t*,
                   std::int64_t*, HashAlgorithm*, cache::EvictionPolicy*>;

  std::string_view key;   // "server.resp_port"
  std::string_view flag;  // "--resp-port"
  Form form;
  std::uint64_t min;  // of the numeric forms
  std::uint64_t max;
  std::string_view help;
  Target (*target)(Config&);
  // kText: whether the value is allowed, and how to say what is. Null: anything is.
  bool (*accepts)(const std::string&) = nullptr;
  std::string_view allowed = {};
  // Another name, of Redis, without section and dashes: "maxmemory". Empty: none.
  std::string_view alias = {};
};

[[nodiscard]] std::span<const Setting> settings();

// "an integer from 0 to 65535"
[[nodiscard]] std::string expectation(const Setting& setting);

// Sets the setting from `text`; the error says what was found and what is allowed.
Result<void> assign(const Setting& setting, std::string_view text, Config* config);

// The current value as a TOML literal.
[[nodiscard]] std::string toml_literal(const Setting& setting, const Config& config);
[[nodiscard]] std::string toml_string(std::string_view text);

}  // namespace vigil::server
