// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/log/record_text.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "vigil/text/hex.h"
#include "vigil/text/json_writer.h"

namespace vigil::tools {
namespace {

using log::LoggedMark;
using log::LoggedRecord;
using log::RecordType;

std::string_view name_of(RecordType type) {
  switch (type) {
    case RecordType::kStored:
      return "stored";
    case RecordType::kDeadline:
      return "deadline";
    case RecordType::kRemoved:
      return "removed";
    case RecordType::kCleared:
      return "cleared";
    case RecordType::kMark:
      return "mark";
    case RecordType::kContinued:
      return "continued";
    case RecordType::kFloor:
      return "floor";
  }
  return "unknown";
}

constexpr std::array<std::string_view, cache::kKinds> kKindNames = {"string", "order", "tombstone",
                                                                    "idempotency"};
constexpr std::array<std::string_view, 3> kCauseNames = {"durable", "opened", "closed"};

std::string_view name_of(cache::Kind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }
std::string_view name_of(log::MarkCause cause) {
  return kCauseNames[static_cast<std::size_t>(cause)];
}

bool has_key(RecordType type) {
  return type == RecordType::kStored || type == RecordType::kDeadline ||
         type == RecordType::kRemoved;
}

// Printable ASCII as it is, else \xNN.
std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '"' || c == '\\') {
      text.append({'\\', c});
    } else if (byte >= 0x20 && byte < 0x7F) {
      text += c;
    } else {
      text.append({'\\', 'x', text::kHexDigits[byte >> 4], text::kHexDigits[byte & 15]});
    }
  }
  return text + '"';
}

}  // namespace

std::string text_line(const LoggedRecord& logged, bool with_value) {
  const log::Record& record = logged.record;
  std::string line = std::to_string(logged.position);
  line.append(" ").append(name_of(record.type));
  if (record.type == RecordType::kStored) line.append(" ").append(name_of(record.kind));
  line += " shard " + std::to_string(record.shard) + " version " + std::to_string(record.version);
  if (record.deadline_ms != cache::kNoDeadline) {
    line += " deadline_ms " + std::to_string(record.deadline_ms);
  }
  if (has_key(record.type)) line += " key " + quoted(record.key);
  if (record.type == RecordType::kStored) {
    line += with_value ? " value " + quoted(record.value)
                       : " value_bytes " + std::to_string(record.value.size());
  }
  if (record.continues) line += " group_continues";
  return line + "\n";
}

std::string text_line(const LoggedMark& logged) {
  std::string line = std::to_string(logged.position) + " mark ";
  line += name_of(logged.mark.cause);
  line += " durable " + std::to_string(logged.mark.durable);
  if (logged.mark.time_ms != 0) line += " time_ms " + std::to_string(logged.mark.time_ms);
  return line + "\n";
}

std::string json_line(const LoggedRecord& logged, bool with_value) {
  const log::Record& record = logged.record;
  std::string line;
  text::JsonWriter json(&line);
  json.begin_object();
  json.member("position", logged.position);
  json.member("type", name_of(record.type));
  if (record.type == RecordType::kStored) json.member("kind", name_of(record.kind));
  json.member("shard", record.shard);
  json.member("version", record.version);
  if (record.deadline_ms != cache::kNoDeadline) json.member("deadline_ms", record.deadline_ms);
  if (has_key(record.type)) json.member("key", record.key);
  if (record.type == RecordType::kStored) {
    json.member("value_bytes", record.value.size());
    if (with_value) json.member("value", record.value);
  }
  if (record.continues) json.member("group_continues", true);
  json.end_object();
  return line + "\n";
}

std::string json_line(const LoggedMark& logged) {
  std::string line;
  text::JsonWriter json(&line);
  json.begin_object();
  json.member("position", logged.position);
  json.member("type", "mark");
  json.member("cause", name_of(logged.mark.cause));
  json.member("durable", logged.mark.durable);
  if (logged.mark.time_ms != 0) json.member("time_ms", logged.mark.time_ms);
  json.end_object();
  return line + "\n";
}

}  // namespace vigil::tools
