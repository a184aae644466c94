// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/json_order.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <optional>
#include <utility>

#include "vigil/text/base64.h"
#include "vigil/text/json.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/utf8.h"

namespace vigil::server {

namespace {

using JsonSize = rapidjson::SizeType;

constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseValidateEncodingFlag |
                                 rapidjson::kParseNumbersAsStringsFlag;

enum class Shape : std::uint8_t { kOrder, kBulkItem, kBulkArray };

enum class Member : std::uint8_t { kId, kOp, kStatus, kPayload, kVersion, kIfVersion, kTtl };

struct MemberSpec {
  std::string_view name;
  Member member;
  bool bulk_only;
};
constexpr MemberSpec kMembers[] = {
    {"id", Member::kId, true},
    {"op", Member::kOp, true},
    {"status", Member::kStatus, false},
    {"payload", Member::kPayload, false},
    {"version", Member::kVersion, false},
    {"if_version", Member::kIfVersion, true},
    {"ttl_ms", Member::kTtl, false},
};

template <class Integer>
std::optional<Integer> to_integer(std::string_view digits) {
  Integer value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Collects orders from SAX events. The events of a payload go to a writer, which makes it compact;
// all others must be members of the order at hand.
class OrderHandler {
 public:
  OrderHandler(Shape shape, std::size_t max_items) : shape_(shape), max_items_(max_items) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::vector<OrderBody>& items() { return items_; }

  bool Null() {
    if (payload_) {
      payload_->null();
      return after_payload_value();
    }
    if (!in_order_ || member_ != Member::kTtl) return reject_type();
    items_.back().ttl_is_null = true;
    return true;
  }
  bool Bool(bool value) {
    if (!payload_) return reject_type();
    payload_->value(value);
    return after_payload_value();
  }
  bool RawNumber(const char* digits, JsonSize size, bool) {
    if (!payload_) return in_order_ ? integer_member({digits, size}) : reject_type();
    payload_->json({digits, size});
    return after_payload_value();
  }
  bool String(const char* text, JsonSize size, bool) {
    if (!payload_) return in_order_ ? string_member({text, size}) : reject_type();
    payload_->value({text, size});
    return after_payload_value();
  }

  bool StartObject() {
    if (payload_) {
      payload_->begin_object();
      return enter_payload_level();
    }
    if (in_order_ || (shape_ == Shape::kBulkArray && !in_array_)) return reject_type();
    if (items_.size() == max_items_) {
      return reject("the array holds more than " + std::to_string(max_items_) + " items");
    }
    in_order_ = true;
    seen_ = 0;
    items_.emplace_back();
    return true;
  }
  bool Key(const char* name, JsonSize size, bool) {
    if (!payload_) return begin_member({name, size});
    payload_->key(text::JsonName({name, size}));
    return true;
  }
  bool EndObject(JsonSize) {
    if (!payload_) {
      in_order_ = false;
      return true;
    }
    payload_->end_object();
    return leave_payload_level();
  }
  bool StartArray() {
    if (payload_) {
      payload_->begin_array();
      return enter_payload_level();
    }
    if (shape_ != Shape::kBulkArray || in_array_) return reject_type();
    in_array_ = true;
    return true;
  }
  bool EndArray(JsonSize) {
    if (!payload_) return true;
    payload_->end_array();
    return leave_payload_level();
  }

  // Numbers arrive as RawNumber (kParseNumbersAsStringsFlag); these complete the handler concept.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  bool reject(std::string why) {
    problem_ = std::move(why);
    return false;
  }
  bool reject_type() {
    if (in_order_) return reject("member \"" + std::string(name()) + "\": " + expectation());
    return reject(shape_ == Shape::kBulkArray ? "expected an array of objects"
                                              : "expected one JSON object");
  }
  [[nodiscard]] std::string_view name() const {
    return kMembers[static_cast<std::size_t>(member_)].name;
  }
  [[nodiscard]] std::string expectation() const {
    switch (member_) {
      case Member::kId:
      case Member::kStatus:
        return "expected a string";
      case Member::kOp:
        return "expected \"put\", \"patch\" or \"delete\"";
      case Member::kPayload:
        return "expected a value";
      case Member::kVersion:
        return "expected an integer from 1 to 281474976710655";
      case Member::kIfVersion:
        return "expected an integer from 0 to 281474976710655";
      case Member::kTtl:
        return "expected a positive integer of milliseconds, or null";
    }
    return {};
  }

  bool begin_member(std::string_view name) {
    for (const MemberSpec& spec : kMembers) {
      if (spec.name != name || (spec.bulk_only && shape_ == Shape::kOrder)) continue;
      member_ = spec.member;
      const unsigned bit = 1U << static_cast<unsigned>(member_);
      if ((seen_ & bit) != 0) return reject("member \"" + std::string(name) + "\" is repeated");
      seen_ |= bit;
      if (member_ == Member::kPayload) begin_payload();
      return true;
    }
    return reject("unknown member \"" + std::string(name) + "\"; allowed: " + allowed_members());
  }
  [[nodiscard]] std::string allowed_members() const {
    std::string names;
    for (const MemberSpec& spec : kMembers) {
      if (spec.bulk_only && shape_ == Shape::kOrder) continue;
      if (!names.empty()) names += ", ";
      names += spec.name;
    }
    return names;
  }

  bool string_member(std::string_view text) {
    OrderBody& order = items_.back();
    switch (member_) {
      case Member::kId:
        order.id = text;
        return true;
      case Member::kStatus:
        order.status = text;
        return true;
      case Member::kOp:
        if (text == "put")
          order.operation = OrderBody::Operation::kPut;
        else if (text == "patch")
          order.operation = OrderBody::Operation::kPatch;
        else if (text == "delete")
          order.operation = OrderBody::Operation::kDelete;
        else
          return reject_type();
        return true;
      default:
        return reject_type();
    }
  }

  bool integer_member(std::string_view digits) {
    OrderBody& order = items_.back();
    switch (member_) {
      case Member::kVersion:
        order.version = to_integer<std::uint64_t>(digits);
        return in_range(order.version, 1);
      case Member::kIfVersion:
        order.if_version = to_integer<std::uint64_t>(digits);
        return in_range(order.if_version, 0);
      case Member::kTtl:
        order.ttl_ms = to_integer<std::int64_t>(digits);
        if (order.ttl_ms && *order.ttl_ms > 0 && *order.ttl_ms <= cache::kDeadlineMax_ms)
          return true;
        return reject_type();
      default:
        return reject_type();
    }
  }
  bool in_range(std::optional<std::uint64_t> version, std::uint64_t low) {
    return (version && *version >= low && *version <= cache::kVersionMax) || reject_type();
  }

  void begin_payload() {
    depth_ = 0;
    payload_.emplace(&items_.back().payload.emplace());
  }
  bool after_payload_value() {
    if (depth_ == 0) payload_.reset();
    return true;
  }
  bool enter_payload_level() {
    if (++depth_ <= text::kJsonDepthMax) return true;
    return reject("the payload is nested deeper than " + std::to_string(text::kJsonDepthMax));
  }
  bool leave_payload_level() {
    --depth_;
    return after_payload_value();
  }

  Shape shape_;
  std::size_t max_items_;
  bool in_array_ = false;
  bool in_order_ = false;
  Member member_ = Member::kId;
  unsigned seen_ = 0;
  std::size_t depth_ = 0;
  std::vector<OrderBody> items_;
  std::string problem_;
  std::optional<text::JsonWriter> payload_;  // while the payload of the last item is being read
};

Result<std::vector<OrderBody>> parse(std::string_view json, Shape shape, std::size_t max_items) {
  OrderHandler handler(shape, max_items);
  rapidjson::MemoryStream stream(json.data(), json.size());
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<kParseFlags>(stream, handler);
  if (!handler.problem().empty()) return Error{handler.problem()};
  if (result.IsError()) {
    return Error{std::string(rapidjson::GetParseError_En(result.Code())) + " (at byte " +
                 std::to_string(result.Offset()) + ")"};
  }
  // The parser takes a NUL byte for the end of the text.
  if (stream.Tell() != json.size()) return Error{"a NUL byte follows the document"};
  return std::move(handler.items());
}

Result<OrderBody> parse_one(std::string_view json, Shape shape) {
  Result<std::vector<OrderBody>> items = parse(json, shape, 1);
  if (!items) return items.error();
  return std::move(items->front());
}

void write_head(std::string_view id, std::string_view status, std::uint64_t version,
                text::JsonWriter* json) {
  json->begin_object();
  json->member("id", id);
  json->member("status", status);
  json->member("version", version);
}

void write_payload(std::string_view payload, text::JsonWriter* json) {
  if (payload.empty()) {
    json->key("payload");
    json->null();
  } else if (text::is_json(payload)) {
    json->key("payload");
    json->json(payload);
  } else if (text::is_utf8(payload)) {
    json->member("payload", payload);
  } else {
    json->member("payload_encoding", "base64");
    json->member("payload", text::base64(payload));
  }
}

}  // namespace

Result<OrderBody> parse_order(std::string_view json) { return parse_one(json, Shape::kOrder); }

Result<OrderBody> parse_bulk_item(std::string_view json) {
  return parse_one(json, Shape::kBulkItem);
}

Result<std::vector<OrderBody>> parse_bulk_array(std::string_view json, std::size_t max_items) {
  return parse(json, Shape::kBulkArray, max_items);
}

void append_order(const OrderView& order, std::string* out) {
  text::JsonWriter json(out);
  write_head(order.id, order.status, order.version, &json);
  write_payload(order.payload, &json);
  json.member("updated_at_ms", order.updated_ms);
  if (order.deadline_ms != cache::kNoDeadline) json.member("expires_at_ms", order.deadline_ms);
  json.end_object();
}

void append_history(std::string_view id, const orders::Order& order,
                    const orders::TransitionTable& table, std::string* out) {
  text::JsonWriter json(out);
  write_head(id, table.name(order.status), order.version, &json);
  json.begin_array("history");
  for (const orders::OrderChange& change : order.history) {
    json.begin_object();
    json.member("status", table.name(change.status));
    json.member("version", change.version);
    json.member("at_ms", change.at_ms);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace vigil::server
