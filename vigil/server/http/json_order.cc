// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/json_order.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <charconv>
#include <utility>

#include "vigil/text/json.h"

namespace vigil::server {

namespace {

using JsonSize = rapidjson::SizeType;

constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseValidateEncodingFlag |
                                 rapidjson::kParseNumbersAsStringsFlag;

enum class Shape : std::uint8_t { kOrder, kBulkItem, kBulkArray };

enum class Member : std::uint8_t { kId, kOp, kStatus, kPayload, kVersion, kIfVersion, kTtlMs };

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
    {"ttl_ms", Member::kTtlMs, false},
};

template <class Integer>
std::optional<Integer> to_integer(std::string_view digits) {
  Integer value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Collects orders from SAX events. The events of a payload go to a Writer, which makes it compact;
// all others must be members of the order at hand.
class OrderHandler {
 public:
  OrderHandler(Shape shape, std::size_t max_items) : shape_(shape), max_items_(max_items) {}

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::vector<OrderBody>& items() { return items_; }

  bool Null() {
    if (in_payload_) return payload_scalar(writer_.Null());
    if (!in_order_ || member_ != Member::kTtlMs) return reject_type();
    items_.back().ttl_is_null = true;
    return true;
  }
  bool Bool(bool value) {
    return in_payload_ ? payload_scalar(writer_.Bool(value)) : reject_type();
  }
  bool RawNumber(const char* digits, JsonSize size, bool) {
    if (in_payload_) {
      return payload_scalar(writer_.RawValue(digits, size, rapidjson::kNumberType));
    }
    return in_order_ ? integer_member({digits, size}) : reject_type();
  }
  bool String(const char* text, JsonSize size, bool) {
    if (in_payload_) return payload_scalar(writer_.String(text, size));
    return in_order_ ? string_member({text, size}) : reject_type();
  }

  bool StartObject() {
    if (in_payload_) return payload_open(writer_.StartObject());
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
    if (in_payload_) return writer_.Key(name, size);
    return begin_member({name, size});
  }
  bool EndObject(JsonSize count) {
    if (in_payload_) return payload_close(writer_.EndObject(count));
    in_order_ = false;
    return true;
  }
  bool StartArray() {
    if (in_payload_) return payload_open(writer_.StartArray());
    if (shape_ != Shape::kBulkArray || in_array_) return reject_type();
    in_array_ = true;
    return true;
  }
  bool EndArray(JsonSize count) {
    return in_payload_ ? payload_close(writer_.EndArray(count)) : true;
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
      case Member::kTtlMs:
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
      case Member::kTtlMs:
        order.ttl_ms = to_integer<std::int64_t>(digits);
        if (order.ttl_ms && *order.ttl_ms > 0 && *order.ttl_ms <= cache::kMaxDeadlineMs)
          return true;
        return reject_type();
      default:
        return reject_type();
    }
  }
  bool in_range(std::optional<std::uint64_t> version, std::uint64_t low) {
    return (version && *version >= low && *version <= cache::kMaxVersion) || reject_type();
  }

  void begin_payload() {
    in_payload_ = true;
    depth_ = 0;
    buffer_.Clear();
    writer_.Reset(buffer_);
  }
  void end_payload() {
    in_payload_ = false;
    items_.back().payload.emplace(buffer_.GetString(), buffer_.GetSize());
  }
  bool payload_scalar(bool written) {
    if (depth_ == 0) end_payload();
    return written;
  }
  bool payload_open(bool written) {
    if (++depth_ > kMaxJsonDepth) {
      return reject("the payload is nested deeper than " + std::to_string(kMaxJsonDepth));
    }
    return written;
  }
  bool payload_close(bool written) {
    if (--depth_ == 0) end_payload();
    return written;
  }

  Shape shape_;
  std::size_t max_items_;
  bool in_array_ = false;
  bool in_order_ = false;
  bool in_payload_ = false;
  Member member_ = Member::kId;
  unsigned seen_ = 0;
  std::size_t depth_ = 0;
  std::vector<OrderBody> items_;
  std::string problem_;
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
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

void append_head(std::string_view id, std::string_view status, std::uint64_t version,
                 std::string* out) {
  out->append("{\"id\":");
  append_json_string(id, out);
  out->append(",\"status\":");
  append_json_string(status, out);
  out->append(",\"version\":");
  append_unsigned(version, out);
}

void append_payload(std::string_view payload, std::string* out) {
  if (payload.empty()) {
    out->append(",\"payload\":null");
  } else if (is_json(payload)) {
    out->append(",\"payload\":").append(payload);
  } else if (is_utf8(payload)) {
    out->append(",\"payload\":");
    append_json_string(payload, out);
  } else {
    out->append(",\"payload_encoding\":\"base64\",\"payload\":\"");
    append_base64(payload, out);
    out->push_back('"');
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
  append_head(order.id, order.status, order.version, out);
  append_payload(order.payload, out);
  out->append(",\"updated_at_ms\":");
  append_integer(order.updated_ms, out);
  if (order.deadline_ms != cache::kNoDeadline) {
    out->append(",\"expires_at_ms\":");
    append_integer(order.deadline_ms, out);
  }
  out->push_back('}');
}

void append_history(std::string_view id, const orders::Order& order,
                    const orders::TransitionTable& table, std::string* out) {
  append_head(id, table.name(order.status), order.version, out);
  out->append(",\"history\":[");
  const char* separator = "";
  for (const orders::OrderChange& change : order.history) {
    out->append(separator).append("{\"status\":");
    append_json_string(table.name(change.status), out);
    out->append(",\"version\":");
    append_unsigned(change.version, out);
    out->append(",\"at_ms\":");
    append_integer(change.at_ms, out);
    out->push_back('}');
    separator = ",";
  }
  out->append("]}");
}

}  // namespace vigil::server
