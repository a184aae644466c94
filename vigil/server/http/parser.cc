// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/parser.h"

#include <utility>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "vigil/server/http/scanner.h"
#include "vigil/server/http/text.h"

namespace vigil::server {

namespace {

namespace http = boost::beast::http;

struct Rejection {
  int status = 400;
  std::string_view detail;
};

Rejection rejection_of(const boost::system::error_code& error) {
  if (error == http::error::header_limit) return {431, "the header is too large"};
  if (error == http::error::body_limit) return {413, "the body is too large"};
  if (error == http::error::bad_version)
    return {400, "the request line is malformed, or its version is not HTTP/1.1 or 1.0"};
  if (error == http::error::bad_method) return {400, "the method is malformed"};
  if (error == http::error::bad_target) return {400, "the request target is malformed"};
  if (error == http::error::bad_content_length || error == http::error::multiple_content_length) {
    return {400, "Content-Length is malformed or contradicted"};
  }
  if (error == http::error::bad_transfer_encoding) return {400, "Transfer-Encoding is malformed"};
  if (error == http::error::bad_chunk || error == http::error::bad_chunk_extension) {
    return {400, "the chunked body is malformed"};
  }
  return {400, "the header is malformed"};
}

// Fields that are lists: several lines mean the same as one line with commas.
bool is_list(HttpField field) {
  return field == HttpField::kConnection || field == HttpField::kIfMatch ||
         field == HttpField::kIfNoneMatch;
}

// A peer that ends its lines so would wait for an answer for ever.
bool has_bare_line_feed(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// One request on its way through Beast.
class HttpParser::Slow {
 public:
  explicit Slow(const HttpLimits& limits) {
    parser_.header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    parser_.body_limit(limits.body_bytes_max);
    parser_.eager(true);
  }

  Step put(std::string_view input, HttpRequest* request) {
    Step step;
    while (!parser_.is_done()) {
      boost::system::error_code error;
      const bool had_header = parser_.is_header_done();
      const std::string_view rest = input.substr(step.bytes);
      const std::size_t bytes = parser_.put(boost::asio::buffer(rest.data(), rest.size()), error);
      step.bytes += bytes;
      if (error && error != http::error::need_more) return reject(step, rejection_of(error));
      // Beast waits for more behind some control characters, although the header has ended.
      if (!parser_.is_header_done() && rest.find("\r\n\r\n") != std::string_view::npos) {
        return reject(step, {400, "the header is malformed"});
      }
      if (!had_header && parser_.is_header_done()) {
        const Rejection rejection = check_header();
        if (!rejection.detail.empty()) return reject(step, rejection);
      }
      if (error || bytes == 0) break;
    }
    if (!parser_.is_done()) {
      step.outcome = wants_continue() ? Outcome::kContinueWanted : Outcome::kNeedMore;
      return step;
    }
    fill(request);
    step.outcome = Outcome::kRequest;
    return step;
  }

 private:
  static Step reject(Step step, const Rejection& rejection) {
    step.outcome = Outcome::kError;
    step.status = rejection.status;
    step.detail = rejection.detail;
    return step;
  }

  // What Beast lets pass and this server does not. An empty detail means accepted.
  Rejection check_header() {
    const auto& message = parser_.get();
    if (message.count(http::field::transfer_encoding) != 0 &&
        !equals_ignoring_case(view(message[http::field::transfer_encoding]), "chunked")) {
      return {501, "the only Transfer-Encoding served is chunked"};
    }
    const Rejection rejection = collect_fields();
    if (!rejection.detail.empty()) return rejection;
    if (message.version() == 11 && !fields_.has(HttpField::kHost)) {
      return {400, "HTTP/1.1 requires a Host field"};
    }
    if (fields_.has(HttpField::kExpect) &&
        !equals_ignoring_case(fields_.field(HttpField::kExpect), "100-continue")) {
      return {417, "the only expectation served is 100-continue"};
    }
    return {0, {}};
  }

  Rejection collect_fields() {
    for (const auto& line : parser_.get()) {
      const std::optional<HttpField> field = http_field(view(line.name_string()));
      if (!field) continue;
      const std::string_view value = view(line.value());
      if (!fields_.has(*field)) {
        fields_.set_field(*field, value);
        continue;
      }
      if (!is_list(*field)) return {400, "a header field that must be single is repeated"};
      std::string& joined = joined_[static_cast<std::size_t>(*field)];
      if (joined.empty()) joined = fields_.field(*field);
      joined.append(", ").append(value);
      fields_.set_field(*field, joined);
    }
    return {0, {}};
  }

  bool wants_continue() {
    if (!parser_.is_header_done() || !fields_.has(HttpField::kExpect)) return false;
    return parser_.get().version() == 11 && !std::exchange(continue_answered_, true);
  }

  void fill(HttpRequest* request) {
    const auto& message = parser_.get();
    *request = fields_;
    request->method = http_method(view(message.method_string()));
    request->target = view(message.target());
    request->body = message.body();
    request->http_1_0 = message.version() == 10;
    request->keep_alive = parser_.keep_alive();
  }

  http::request_parser<http::string_body> parser_;
  HttpRequest fields_;
  std::array<std::string, kHttpFieldNames.size()> joined_;
  bool continue_answered_ = false;
};

HttpParser::HttpParser(const HttpLimits& limits) : limits_(limits) {}
HttpParser::~HttpParser() = default;

HttpParser::Step HttpParser::parse(std::string_view input, HttpRequest* request) {
  served_.reset();
  if (slow_ != nullptr) return parse_slowly(input, request);
  // Empty lines before a request are to be ignored (RFC 9112, section 2.2).
  std::size_t skipped = 0;
  while (input.substr(skipped, 2) == "\r\n") skipped += 2;
  input.remove_prefix(skipped);
  if (input.empty() || input == "\r") return {Outcome::kNeedMore, skipped, 0, {}};

  Step step{Outcome::kRequest, scan_http_request(input, limits_, request), 0, {}};
  if (step.bytes == 0) step = parse_slowly(input, request);
  step.bytes += skipped;
  return step;
}

HttpParser::Step HttpParser::parse_slowly(std::string_view input, HttpRequest* request) {
  if (slow_ == nullptr) {
    // Beast judges a header by the piece it is given; given whole ones only, it judges alike
    // however the bytes arrive.
    if (input.find("\r\n\r\n") == std::string_view::npos) {
      if (has_bare_line_feed(input)) return {Outcome::kError, 0, 400, "the header is malformed"};
      if (input.size() <= limits_.header_bytes_max) return {};
      return {Outcome::kError, 0, 431, "the header is too large"};
    }
    slow_ = std::make_unique<Slow>(limits_);
  }
  const Step step = slow_->put(input, request);
  if (step.outcome == Outcome::kRequest) served_ = std::move(slow_);
  return step;
}

}  // namespace vigil::server
