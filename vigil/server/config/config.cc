// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/config/config.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "vigil/base/files.h"
#include "vigil/server/config/setting.h"

namespace vigil::server {

namespace {

constexpr std::size_t kSecretBytesMax = std::size_t{64} << 10;

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127.");
}

// The first line of a secret file. An empty path means no secret.
Result<std::string> read_secret(std::string_view key, const std::string& path) {
  if (path.empty()) return std::string();
  const Result<std::string> text = read_file(path, kSecretBytesMax);
  if (!text) return Error{std::string(key) + ": " + text.error().message};
  std::string secret = text->substr(0, text->find('\n'));
  while (!secret.empty() && (secret.back() == '\r' || secret.back() == ' ')) secret.pop_back();
  if (!secret.empty()) return secret;
  return Error{std::string(key) + ": " + path +
               ": has an empty first line, expected the secret there"};
}

Result<void> check_exposure(const Config& config) {
  if (is_loopback(config.server.bind) || config.allow_unauthenticated) return {};
  if (!config.server.password.empty()) return {};
  return Error{"server.bind: found " + toml_string(config.server.bind) +
               ", which other machines can reach, but no password is set; set "
               "security.password_file (--password-file), or allow it by "
               "security.allow_unauthenticated (--allow-unauthenticated)"};
}

// Statuses by name: a file read back may number them differently.
std::vector<orders::TransitionTable::StatusId> statuses_by_name(
    const orders::TransitionTable& table) {
  std::vector<orders::TransitionTable::StatusId> statuses(table.names().size());
  std::iota(statuses.begin(), statuses.end(), 0);
  std::sort(statuses.begin(), statuses.end(),
            [&](auto a, auto b) { return table.name(a) < table.name(b); });
  return statuses;
}

std::string join(const std::vector<std::string>& literals) {
  std::string text;
  for (const std::string& literal : literals) text += (text.empty() ? "" : ", ") + literal;
  return "[" + text + "]";
}

void append_orders(const orders::TransitionTable& table, std::string* out) {
  std::vector<std::string> initial;
  for (const std::string& name : table.names()) {
    if (table.initial(*table.find(name))) initial.push_back(toml_string(name));
  }
  *out += "initial = " + join(initial) + "\n\n[orders.transitions]\n";
  const auto statuses = statuses_by_name(table);
  for (const auto from : statuses) {
    if (table.terminal(from)) continue;
    std::vector<std::string> next;
    for (const auto to : statuses) {
      if (from != to && table.allowed(from, to)) next.push_back(toml_string(table.name(to)));
    }
    // Without another step, what keeps the status from being final is the step to itself.
    if (next.empty()) next.push_back(toml_string(table.name(from)));
    *out += toml_string(table.name(from)) + " = " + join(next) + "\n";
  }
}

}  // namespace

Result<void> complete_config(Config* config) {
  Result<std::string> password = read_secret("security.password_file", config->password_file);
  if (!password) return password.error();
  Result<std::string> token = read_secret("security.admin_token_file", config->admin_token_file);
  if (!token) return token.error();
  config->server.password = *std::move(password);
  config->server.admin_token = *std::move(token);
  if (config->server.output_high_water_bytes > config->server.output_limit_bytes) {
    return Error{"limits.output_high_water: found more than limits.output, expected less"};
  }
  return check_exposure(*config);
}

std::string to_toml(const Config& config) {
  std::string toml;
  std::string_view section;
  for (const Setting& setting : settings()) {
    const std::size_t dot = setting.key.find('.');
    if (setting.key.substr(0, dot) != section) {
      if (section == "orders") append_orders(config.server.orders.table, &toml);
      section = setting.key.substr(0, dot);
      toml.append(toml.empty() ? "[" : "\n[").append(section).append("]\n");
    }
    toml.append(setting.key.substr(dot + 1)).append(" = ");
    toml.append(toml_literal(setting, config)).append("\n");
  }
  return toml;
}

}  // namespace vigil::server
