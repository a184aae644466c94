// SPDX-License-Identifier: Apache-2.0
//
// Each struct of the model names its fields once, in `describe`; Writer and Reader are the two
// visitors of that description, so that what is written and what is read cannot drift apart.
#include "vigil/report/report_json.h"

#include <cmath>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include "vigil/text/json_document.h"
#include "vigil/text/json_writer.h"

namespace vigil::report {
namespace {

// ---- The fields. `always`: written even if it holds nothing; `filled`: only if it does. ----

template <class T, class Record>
concept Of = std::same_as<std::remove_const_t<T>, Record>;

template <class Visitor, Of<Frame> Record>
void describe(Visitor& visit, Record& frame) {
  visit.always("function", frame.function);
  visit.always("file", frame.file);
  visit.always("line", frame.line);
  visit.filled("column", frame.column);
  visit.always("module", frame.module);
  visit.filled("address", frame.address);
  visit.always("inlined", frame.inlined);
}

template <class Visitor, Of<Lock> Record>
void describe(Visitor& visit, Record& lock) {
  visit.always("kind", lock.kind);
  visit.filled("name", lock.name);
  visit.filled("address", lock.address);
  visit.filled("acquired_at", lock.acquired_at);
}

template <class Visitor, Of<Thread> Record>
void describe(Visitor& visit, Record& thread) {
  visit.always("id", thread.id);
  visit.filled("name", thread.name);
  visit.filled("state", thread.state);
  visit.filled("waiting_seconds", thread.waiting_seconds);
  visit.known("created_by", thread.created_by);
  visit.filled("stack", thread.stack);
  visit.filled("created_at", thread.created_at);
  visit.filled("locks", thread.locks);
  visit.filled("waits_for", thread.waits_for);
  visit.known("waits_for_thread", thread.waits_for_thread);
}

template <class Visitor, Of<Access> Record>
void describe(Visitor& visit, Record& access) {
  visit.always("thread", access.thread);
  visit.always("operation", access.operation);
  visit.always("size", access.size);
  visit.always("address", access.address);
  visit.always("stack", access.stack);
  visit.always("locks", access.locks);
}

template <class Visitor, Of<Location> Record>
void describe(Visitor& visit, Record& location) {
  visit.always("kind", location.kind);
  visit.filled("object", location.object);
  visit.filled("type", location.type);
  visit.filled("address", location.address);
  visit.filled("size", location.size);
  visit.known("thread", location.thread);
  visit.filled("allocated_at", location.allocated_at);
}

template <class Visitor, Of<Finding> Record>
void describe(Visitor& visit, Record& finding) {
  visit.always("kind", finding.kind);
  visit.filled("message", finding.message);
  visit.always("seed", finding.seed);
  visit.always("strategy", finding.strategy);
  visit.always("accesses", finding.accesses);
  visit.always("location", finding.location);
  visit.filled("threads", finding.threads);
  visit.always("replay", finding.replay);
  visit.filled("scheduling_point", finding.scheduling_point);
  visit.always("occurrences", finding.occurrences);
}

template <class Visitor, Of<RunReport> Record>
void describe(Visitor& visit, Record& report) {
  visit.always("findings", report.findings);
  visit.always("schedules", report.schedules);
  visit.always("scheduling_points", report.scheduling_points);
  visit.always("virtual_seconds", report.virtual_seconds);
  visit.filled("program", report.program);
  visit.filled("mode", report.mode);
}

template <class Visitor, Of<Evidence> Record>
void describe(Visitor& visit, Record& evidence) {
  visit.always("path", evidence.path);
  visit.always("format", evidence.format);
  visit.filled("program", evidence.program);
  visit.always("findings", evidence.findings);
  visit.always("threads", evidence.threads);
  visit.filled("warnings", evidence.warnings);
  visit.filled("truncated", evidence.truncated);
  visit.filled("detector_proof", evidence.detector_proof);
}

template <class T>
concept Described = std::same_as<T, Frame> || std::same_as<T, Lock> || std::same_as<T, Thread> ||
    std::same_as<T, Access> || std::same_as<T, Location> || std::same_as<T, Finding> ||
    std::same_as<T, RunReport> || std::same_as<T, Evidence>;

void value_from(std::string_view name, std::optional<Kind>* value) { *value = kind_from(name); }
void value_from(std::string_view name, std::optional<Operation>* value) {
  *value = operation_from(name);
}
void value_from(std::string_view name, std::optional<Location::Kind>* value) {
  *value = location_kind_from(name);
}

// ---- Writing. ----

class Writer {
 public:
  explicit Writer(std::string* out) : json_(out) {}

  template <class T>
  void always(text::JsonName name, const T& value) {
    json_.key(name);
    write(value);
  }
  template <class T>
  void filled(text::JsonName name, const T& value) {
    if (value != T()) always(name, value);
  }
  void known(text::JsonName name, std::int64_t number) {
    if (number != -1) always(name, number);
  }

  template <Described T>
  void write(const T& record) {
    json_.begin_object();
    describe(*this, record);
    json_.end_object();
  }

 private:
  void write(std::integral auto value) { json_.value(value); }
  void write(const std::string& value) { json_.value(value); }
  void write(double value) { json_.value(std::isfinite(value) ? value : 0.0); }
  void write(const std::optional<std::string>& value) { json_.value(value.value_or("")); }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void write(Enum value) { json_.value(to_string(value)); }
  template <class T>
  void write(const std::vector<T>& values) {
    json_.begin_array();
    for (const T& value : values) write(value);
    json_.end_array();
  }

  text::JsonWriter json_;
};

// ---- Reading. ----

// Keeps the first error, with the path to its place ("findings[2].accesses[0].size").
class Reader {
 public:
  template <class T>
  void always(text::JsonName name, T& value) {
    filled(name, value);
  }
  template <class T>
  void filled(text::JsonName name, T& value) {
    const text::JsonValue* const member = text::json_member(*object_, name.text().data());
    if (member == nullptr || failed()) return;
    const std::size_t length = path_.size();
    path_.append(path_.empty() ? "" : ".").append(name.text());
    read(*member, value);
    path_.resize(length);
  }
  void known(text::JsonName name, std::int64_t& number) { filled(name, number); }

  template <Described T>
  void read(const text::JsonValue& json, T& record) {
    if (!json.IsObject()) return fail("an object");
    const text::JsonValue* const outer = std::exchange(object_, &json);
    describe(*this, record);
    object_ = outer;
  }
  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }

 private:
  void fail(std::string_view expected) {
    if (failed()) return;
    error_ = path_.empty() ? std::string("the report") : path_;
    error_.append(": expected ").append(expected);
  }

  void read(const text::JsonValue& json, bool& value) {
    if (!json.IsBool()) return fail("true or false");
    value = json.GetBool();
  }
  template <std::integral Integer>
  void read(const text::JsonValue& json, Integer& value) {
    if constexpr (std::is_signed_v<Integer>) {
      if (json.IsInt64() && std::in_range<Integer>(json.GetInt64())) {
        value = static_cast<Integer>(json.GetInt64());
        return;
      }
    } else if (json.IsUint64() && std::in_range<Integer>(json.GetUint64())) {
      value = static_cast<Integer>(json.GetUint64());
      return;
    }
    fail("a whole number within " + std::to_string(std::numeric_limits<Integer>::min()) + " .. " +
         std::to_string(std::numeric_limits<Integer>::max()));
  }
  void read(const text::JsonValue& json, double& value) {
    if (!json.IsNumber()) return fail("a number");
    value = json.GetDouble();
  }
  void read(const text::JsonValue& json, std::string& value) {
    if (!json.IsString()) return fail("a string");
    value.assign(json.GetString(), json.GetStringLength());
  }
  void read(const text::JsonValue& json, std::optional<std::string>& value) {
    read(json, value.emplace());
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void read(const text::JsonValue& json, Enum& value) {
    std::string name;
    read(json, name);
    std::optional<Enum> known;
    value_from(name, &known);
    if (!known) return fail("a known name, not \"" + name + "\"");
    value = *known;
  }
  template <class T>
  void read(const text::JsonValue& json, std::vector<T>& values) {
    if (!json.IsArray()) return fail("an array");
    values.clear();
    values.reserve(json.Size());
    const std::size_t length = path_.size();
    for (const text::JsonValue& element : json.GetArray()) {
      path_.append("[").append(std::to_string(values.size())).append("]");
      read(element, values.emplace_back());
      path_.resize(length);
      if (failed()) return;
    }
  }

  const text::JsonValue* object_ = nullptr;
  std::string path_;
  std::string error_;
};

template <Described T>
std::variant<T, ParseError> from_json(std::string_view text) {
  const Result<rapidjson::Document> document = text::parse_json(text);
  if (!document) return ParseError{document.error().message};
  T record;
  Reader reader;
  reader.read(*document, record);
  if (reader.failed()) return ParseError{reader.error()};
  return record;
}

template <Described T>
std::string json_of(const T& record) {
  std::string out;
  Writer(&out).write(record);
  return out;
}

}  // namespace

std::string to_json(const RunReport& report) { return json_of(report); }
std::string to_json(const Evidence& evidence) { return json_of(evidence); }

std::variant<RunReport, ParseError> run_report_from_json(std::string_view text) {
  return from_json<RunReport>(text);
}
std::variant<Evidence, ParseError> evidence_from_json(std::string_view text) {
  return from_json<Evidence>(text);
}

}  // namespace vigil::report
