// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/config/setting.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <optional>

#include "vigil/text/hex.h"

namespace vigil::server {

namespace {

using Form = Setting::Form;
using Target = Setting::Target;

constexpr std::uint64_t kKiB = std::uint64_t{1} << 10;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr std::uint64_t kDay_ms = 86'400'000;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first: printing takes the first that divides.
constexpr std::array kByteUnits = {Unit{"GiB", kGiB}, Unit{"MiB", kMiB}, Unit{"KiB", kKiB}};
constexpr std::array kTimeUnits = {Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000},
                                   Unit{"ms", 1}};

bool is_address(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address;
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}
// Of the short forms that inet_aton() takes: "127.1".
std::string address_meant(const std::string& text) {
  in_addr address{};
  if (text.empty() || inet_aton(text.c_str(), &address) == 0) return {};
  std::array<char, INET_ADDRSTRLEN> full{};
  inet_ntop(AF_INET, &address, full.data(), full.size());
  return std::string("; did you mean ") + full.data() + "?";
}
bool is_event_set(const std::string& text) {
  return text.find_first_not_of("KEg$lshzxetdmnA") == std::string::npos;
}
bool is_log_level(const std::string& text) {
  constexpr std::array<std::string_view, 5> kLevels = {"debug", "info", "warning", "error", "off"};
  return std::find(kLevels.begin(), kLevels.end(), text) != kLevels.end();
}

bool is_durability(const std::string& text) {
  return text == "always" || text == "everysec" || text == "off";
}

constexpr std::uint64_t kU32Max = std::numeric_limits<std::uint32_t>::max();

// clang-format off
constexpr Setting kSettings[] = {
    {"server.bind", "--bind", Form::kText, 0, 0,
     "address to listen on; not a loopback address: a password is required",
     [](Config& c) -> Target { return &c.server.bind; },
     is_address, "a numeric IPv4 or IPv6 address"},
    {"server.resp_port", "--resp-port", Form::kInteger, 0, 65535,
     "port for Redis clients (RESP); 0: a free one",
     [](Config& c) -> Target { return &c.server.resp_port; }},
    {"server.http_port", "--http-port", Form::kInteger, 0, 65535,
     "port for HTTP; 0: a free one",
     [](Config& c) -> Target { return &c.server.http_port; }},
    {"server.threads", "--threads", Form::kInteger, 0, 256,
     "reactor threads; 0: one per core",
     [](Config& c) -> Target { return &c.server.threads; }},
    {"server.listen_backlog", "--listen-backlog", Form::kInteger, 1, 65535,
     "connections that may wait to be accepted",
     [](Config& c) -> Target { return &c.server.listen_backlog; }},
    {"server.resp_socket", "--resp-socket", Form::kText, 0, 0,
     "path of a Unix socket for Redis clients, beside the port",
     [](Config& c) -> Target { return &c.server.resp_socket; }},
    {"server.http_socket", "--http-socket", Form::kText, 0, 0,
     "path of a Unix socket for HTTP, beside the port",
     [](Config& c) -> Target { return &c.server.http_socket; }},
    {"server.data_dir", "--data-dir", Form::kText, 0, 0,
     "directory that keeps what is written; none: memory only",
     [](Config& c) -> Target { return &c.server.data_dir; }},
    {"server.log_level", "--log-level", Form::kText, 0, 0,
     "what is logged",
     [](Config& c) -> Target { return &c.log_level; },
     is_log_level, "debug, info, warning, error or off"},
    {"server.log_file", "--log-file", Form::kText, 0, 0,
     "file for the log, opened again on SIGHUP; empty: standard error",
     [](Config& c) -> Target { return &c.log_file; }},

    {"security.password_file", "--password-file", Form::kText, 0, 0,
     "file whose first line is the password of RESP clients and HTTP order requests",
     [](Config& c) -> Target { return &c.password_file; }},
    {"security.admin_token_file", "--admin-token-file", Form::kText, 0, 0,
     "file whose first line is the bearer token of the HTTP /admin paths",
     [](Config& c) -> Target { return &c.admin_token_file; }},
    {"security.allow_unauthenticated", "--allow-unauthenticated", Form::kSwitch, 0, 0,
     "listen on a non-loopback address without a password",
     [](Config& c) -> Target { return &c.allow_unauthenticated; }},

    {"cache.shards", "--shards", Form::kPowerOfTwo, 1, 4096,
     "shards, each with one writer at a time",
     [](Config& c) -> Target { return &c.server.cache.shards; }},
    {"cache.hash", "--hash", Form::kHash, 0, 0,
     "hash that routes an id to its shard",
     [](Config& c) -> Target { return &c.server.cache.hash; }},
    {"cache.memory_limit", "--memory-limit", Form::kBytes, cache::kMemoryLimitMin,
     cache::kMemoryLimitMax, "memory for entries and indexes; beyond it: --eviction",
     [](Config& c) -> Target { return &c.server.cache.memory_limit_bytes; },
     nullptr, {}, "maxmemory"},
    {"cache.eviction", "--eviction", Form::kEviction, 0, 0,
     "what makes room at the memory limit; noeviction: writes are refused",
     [](Config& c) -> Target { return &c.server.cache.eviction; },
     nullptr, {}, "maxmemory-policy"},
    {"cache.write_queue_capacity", "--write-queue-capacity", Form::kPowerOfTwo, 2, 4096,
     "writers that may wait for one shard; beyond it they are answered busy",
     [](Config& c) -> Target { return &c.server.cache.write_queue_capacity; }},
    {"cache.notify_keyspace_events", "--notify-keyspace-events", Form::kText, 0, 0,
     "events published to subscribers, as in Redis; \"Ex\": expired keys",
     [](Config& c) -> Target { return &c.server.notify_keyspace_events; },
     is_event_set, "letters of \"KEg$lshzxetdmnA\""},

    {"durability.mode", "--durability", Form::kText, 0, 0,
     "what a reply to a write waits for: the disk, the operating system, nothing",
     [](Config& c) -> Target { return &c.server.durability.mode; },
     is_durability, "always, everysec or off"},
    {"durability.segment_bytes", "--log-segment-bytes", Form::kBytes, 8 * kMiB, kGiB,
     "size of one file of the log",
     [](Config& c) -> Target { return &c.server.durability.segment_bytes; }},
    {"durability.cut_limit", "--log-cut-limit", Form::kBytes, 0, 1024 * kGiB,
     "torn end of the log that is cut off at start; above it the server refuses",
     [](Config& c) -> Target { return &c.server.durability.cut_bytes_max; }},
    {"durability.backlog_bytes", "--log-backlog-bytes", Form::kBytes, kMiB, 16 * kGiB,
     "log that waits to be written; above it writes wait",
     [](Config& c) -> Target { return &c.server.durability.backlog_bytes_max; }},
    {"durability.snapshot_log_bytes", "--snapshot-log-bytes", Form::kBytes, kMiB, 1024 * kGiB,
     "log after which a snapshot is written, if the last one is not larger",
     [](Config& c) -> Target { return &c.server.durability.snapshot_log_bytes; }},

    {"orders.history", "--order-history", Form::kInteger, 0, 64,
     "status changes remembered per order",
     [](Config& c) -> Target { return &c.server.orders.history; }},
    {"orders.tombstone_retention", "--tombstone-retention", Form::kMilliseconds, 1, 30 * kDay_ms,
     "how long a deleted or expired order refuses late events",
     [](Config& c) -> Target { return &c.server.orders.tombstone_retention_ms; }},
    {"orders.idempotency_retention", "--idempotency-retention", Form::kMilliseconds, 1,
     30 * kDay_ms, "how long the answer to an idempotency key is remembered",
     [](Config& c) -> Target { return &c.server.orders.idempotency_retention_ms; }},

    {"limits.connections", "--connections-max", Form::kInteger, 1, 1'000'000,
     "open connections, over all threads and protocols",
     [](Config& c) -> Target { return &c.server.connections_max; }},
    {"limits.request_bytes", "--request-bytes-max", Form::kBytes, 64 * kKiB, kGiB,
     "size of one RESP request",
     [](Config& c) -> Target { return &c.server.request_bytes_max; }},
    {"limits.request_args", "--request-args-max", Form::kInteger, 16, kU32Max,
     "arguments of one RESP request",
     [](Config& c) -> Target { return &c.server.request_args_max; }},
    {"limits.http_body_bytes", "--http-body-bytes-max", Form::kBytes, kKiB, kGiB,
     "size of one HTTP request body",
     [](Config& c) -> Target { return &c.server.http_body_bytes_max; }},
    {"limits.output_high_water", "--output-high-water", Form::kBytes, 16 * kKiB, kGiB,
     "unsent output above which a client is not read from",
     [](Config& c) -> Target { return &c.server.output_high_water_bytes; }},
    {"limits.output", "--output-limit", Form::kBytes, kMiB, 16 * kGiB,
     "unsent output above which a client is cut off",
     [](Config& c) -> Target { return &c.server.output_limit_bytes; }},
    {"limits.pubsub_output", "--pubsub-output-limit", Form::kBytes, kMiB, 16 * kGiB,
     "the same for subscribers",
     [](Config& c) -> Target { return &c.server.pubsub_output_limit_bytes; }},

    {"limits.connection_memory", "--connection-memory-limit", Form::kBytes, 0, 1024 * kGiB,
     "buffers of all connections together; above: the largest one is cut off; 0: no limit",
     [](Config& c) -> Target { return &c.server.connection_memory_limit_bytes; }},

    {"timeouts.idle", "--idle-timeout", Form::kMilliseconds, 0, 30 * kDay_ms,
     "RESP connections without a request; 0: never",
     [](Config& c) -> Target { return &c.server.idle_timeout_ms; }},
    {"timeouts.http_idle", "--http-idle-timeout", Form::kMilliseconds, 0, 30 * kDay_ms,
     "HTTP connections without a request; 0: never",
     [](Config& c) -> Target { return &c.server.http_idle_timeout_ms; }},
    {"timeouts.request", "--request-timeout", Form::kMilliseconds, 0, kDay_ms,
     "from the first byte of a request to its last; 0: never",
     [](Config& c) -> Target { return &c.server.request_timeout_ms; }},
    {"timeouts.slow_client", "--slow-client-timeout", Form::kMilliseconds, 0, kDay_ms,
     "pending output of which nothing could be sent; 0: never",
     [](Config& c) -> Target { return &c.server.slow_client_timeout_ms; }},
    {"timeouts.drain", "--drain-timeout", Form::kMilliseconds, 0, kDay_ms,
     "from the first signal to the end, at most",
     [](Config& c) -> Target { return &c.server.drain_timeout_ms; }},
};
// clang-format on

std::optional<std::uint64_t> parse_digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// "30s" -> 30000; a number alone counts the smallest unit.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::uint64_t> number = parse_digits(text.substr(0, digits));
  const std::string_view name = text.substr(digits);
  if (!number || name.empty()) return number;
  for (const Unit& unit : units) {
    std::uint64_t value = 0;
    if (name == unit.name && !__builtin_mul_overflow(*number, unit.factor, &value)) return value;
  }
  return std::nullopt;
}

std::string print_with_unit(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return toml_string(std::to_string(value / unit.factor).append(unit.name));
    }
  }
  return std::to_string(value);
}

std::optional<std::uint64_t> parse_number(const Setting& setting, std::string_view text) {
  std::optional<std::uint64_t> value;
  if (setting.form == Form::kBytes) {
    value = parse_with_unit(text, kByteUnits);
  } else if (setting.form == Form::kMilliseconds) {
    value = parse_with_unit(text, kTimeUnits);
  } else {
    value = parse_digits(text);
  }
  if (!value || *value < setting.min || *value > setting.max) return std::nullopt;
  if (setting.form == Form::kPowerOfTwo && !std::has_single_bit(*value)) return std::nullopt;
  return value;
}

// Stores `text` if it is allowed.
bool store(const Setting& setting, std::string_view text, Config* config) {
  return std::visit(
      [&](auto* target) {
        using Value = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          std::string value(text);
          if (setting.accepts != nullptr && !setting.accepts(value)) return false;
          *target = std::move(value);
          return true;
        } else if constexpr (std::is_same_v<Value, bool>) {
          *target = text == "true";
          return text == "true" || text == "false";
        } else if constexpr (std::is_same_v<Value, cache::EvictionPolicy>) {
          const std::optional<cache::EvictionPolicy> value = cache::parse_eviction_policy(text);
          if (value) *target = *value;
          return value.has_value();
        } else if constexpr (std::is_same_v<Value, HashAlgorithm>) {
          const Result<HashAlgorithm> value = parse_hash_algorithm(text);
          if (value) *target = *value;
          return value.has_value();
        } else {
          const std::optional<std::uint64_t> value = parse_number(setting, text);
          if (value) *target = static_cast<Value>(*value);
          return value.has_value();
        }
      },
      setting.target(*config));
}

std::string range(const Setting& setting, std::span<const Unit> units) {
  std::string text(" from ");
  text += units.empty() ? std::to_string(setting.min) : print_with_unit(setting.min, units);
  text += " to ";
  text += units.empty() ? std::to_string(setting.max) : print_with_unit(setting.max, units);
  return text;
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

std::string expectation(const Setting& setting) {
  switch (setting.form) {
    case Form::kText:
      return setting.allowed.empty() ? "text" : std::string(setting.allowed);
    case Form::kSwitch:
      return "true or false";
    case Form::kInteger:
      return "an integer" + range(setting, {});
    case Form::kPowerOfTwo:
      return "a power of two" + range(setting, {});
    case Form::kBytes:
      return "bytes, or a size such as \"4GiB\"," + range(setting, kByteUnits);
    case Form::kMilliseconds:
      return "milliseconds, or a time such as \"30s\"," + range(setting, kTimeUnits);
    case Form::kHash:
      return "xxh3, md5-8 or crc32";
    case Form::kEviction:
      return "noeviction, volatile-ttl or allkeys-lru";
  }
  return {};
}

Result<void> assign(const Setting& setting, std::string_view text, Config* config) {
  if (store(setting, text, config)) return {};
  return Error{"found " + toml_string(text) + ", expected " + expectation(setting) +
               (setting.accepts == is_address ? address_meant(std::string(text)) : "")};
}

std::string toml_literal(const Setting& setting, const Config& config) {
  // The table's accessors give places to write to; this one is only read.
  Config copy = config;
  return std::visit(
      [&](auto* target) -> std::string {
        using Value = std::remove_pointer_t<decltype(target)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          return toml_string(*target);
        } else if constexpr (std::is_same_v<Value, bool>) {
          return *target ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, cache::EvictionPolicy>) {
          return toml_string(cache::eviction_policy_name(*target));
        } else if constexpr (std::is_same_v<Value, HashAlgorithm>) {
          return toml_string(hash_algorithm_name(*target));
        } else {
          const auto value = static_cast<std::uint64_t>(*target);
          if (setting.form == Form::kBytes) return print_with_unit(value, kByteUnits);
          if (setting.form == Form::kMilliseconds) return print_with_unit(value, kTimeUnits);
          return std::to_string(value);
        }
      },
      setting.target(copy));
}

std::string toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '"' || c == '\\') {
      quoted.append({'\\', c});
    } else if (byte < 0x20 || byte == 0x7F) {
      quoted.append("\\u00").append(
          {text::kUpperHexDigits[byte >> 4], text::kUpperHexDigits[byte & 0xF]});
    } else {
      quoted.push_back(c);
    }
  }
  return quoted.append("\"");
}

}  // namespace vigil::server
