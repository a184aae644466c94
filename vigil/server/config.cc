// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/config.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "vigil/server/config_setting.h"

namespace vigil::server {

namespace {

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "::ffff:127.0.0.1";
}

// The first line of a secret file. An empty path means no secret.
Result<std::string> read_secret(std::string_view key, const std::string& path) {
  if (path.empty()) return std::string();
  const std::string place = std::string(key) + ": " + toml_string(path);
  std::ifstream file(path);
  if (!file) return Error{place + " cannot be read: " + std::strerror(errno)};
  std::string secret;
  std::getline(file, secret);
  while (!secret.empty() && (secret.back() == '\r' || secret.back() == ' ')) secret.pop_back();
  if (secret.empty()) return Error{place + " has an empty first line, expected the secret there"};
  return secret;
}

Result<void> check_exposure(const Config& config) {
  if (is_loopback(config.server.bind) || config.allow_unauthenticated) return {};
  if (!config.server.password.empty()) return {};
  return Error{"server.bind: found " + toml_string(config.server.bind) +
               ", which other machines can reach, but no password is set; set "
               "security.password_file (--password-file), or allow it by "
               "security.allow_unauthenticated (--allow-unauthenticated)"};
}

void append_orders(const cache::TransitionTable& table, std::string* out) {
  std::string initial;
  std::string transitions;
  for (std::size_t from = 0; from < table.names().size(); ++from) {
    const auto from_id = static_cast<cache::TransitionTable::StatusId>(from);
    if (table.initial(from_id)) {
      initial += (initial.empty() ? "" : ", ") + toml_string(table.name(from_id));
    }
    std::string next;
    for (std::size_t to = 0; to < table.names().size(); ++to) {
      const auto to_id = static_cast<cache::TransitionTable::StatusId>(to);
      if (from == to || !table.allowed(from_id, to_id)) continue;
      next += (next.empty() ? "" : ", ") + toml_string(table.name(to_id));
    }
    if (next.empty()) continue;
    transitions += toml_string(table.name(from_id)) + " = [" + next + "]\n";
  }
  *out += "initial = [" + initial + "]\n\n[orders.transitions]\n" + transitions;
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
