// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include "vigil/server/http/body.h"
#include "vigil/server/http/scanner.h"
#include "vigil/server/http/text.h"

namespace vigil::server {

namespace {

namespace http = boost::beast::http;

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeaderEnd = "\r\n\r\n";

struct Rejection {
  int status = 400;
  std::string_view detail;
};

Rejection rejection_of(const boost::system::error_code& error) {
  if (error == http::error::header_limit) return {431, "the header is too large"};
  if (error == http::error::bad_method) return {400, "the method is malformed"};
  if (error == http::error::bad_target) return {400, "the request target is malformed"};
  if (error == http::error::bad_content_length || error == http::error::multiple_content_length) {
    return {400, "Content-Length is malformed or contradicted"};
  }
  if (error == http::error::bad_transfer_encoding) return {400, "Transfer-Encoding is malformed"};
  return {400, "the header is malformed"};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "HTTP/1.1"
bool is_version(std::string_view text) {
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
         is_digit(text[7]);
}

bool is_absolute(std::string_view target) {
  return equals_ignoring_case(target.substr(0, 7), "http://") ||
         equals_ignoring_case(target.substr(0, 8), "https://");
}

// The path and the query of an absolute target; without a path it means the root, or the server.
std::string_view origin_form(std::string_view target, HttpMethod method) {
  if (!is_absolute(target)) return target;
  const std::size_t authority = target.find("//") + 2;
  const std::size_t path = target.find_first_of("/?", authority);
  if (path == std::string_view::npos) return method == HttpMethod::kOptions ? "*" : "/";
  return target.substr(path);
}

constexpr std::string_view kMalformedLine = "the request line is malformed";

// Judges "METHOD target HTTP/1.1". An empty detail means accepted.
Rejection judge_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {400, kMalformedLine};
  const std::string_view version = line.substr(last + 1);
  if (!is_version(version)) return {400, kMalformedLine};
  if (version[5] != '1') return {505, "the versions served are HTTP/1.1 and HTTP/1.0"};
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.find('#') != std::string_view::npos) return {400, "a request target has no fragment"};
  // The target of a method that is not served has whatever form that gives it.
  if (http_method(method) == HttpMethod::kOther) return {0, {}};
  const bool whole_server = target == "*" && method == "OPTIONS";
  if (target.starts_with('/') || whole_server || is_absolute(target)) return {0, {}};
  return {400, "a request target is a path, or begins with http://"};
}

// Whether the peer did not mean HTTP at all.
bool is_resp(std::string_view input) {
  return input.size() > 1 && input[0] == '*' && is_digit(input[1]);
}
bool is_tls(std::string_view input) { return input.starts_with('\x16'); }

// An empty detail means that the body is not refused.
Rejection rejection_of(HttpBodyReader::Status status) {
  if (status == HttpBodyReader::Status::kBodyTooLarge) return {413, "the body is too large"};
  if (status == HttpBodyReader::Status::kFramingTooLarge) {
    return {431, "the header is too large with the chunk extensions and trailers"};
  }
  if (status == HttpBodyReader::Status::kMalformed) return {400, "the chunked body is malformed"};
  return {0, {}};
}

// Fields that are lists: several lines mean the same as one line with commas.
bool is_list(HttpField field) {
  return field == HttpField::kConnection || field == HttpField::kIfMatch ||
         field == HttpField::kIfNoneMatch;
}

// A peer that ends its lines so would wait for an answer for ever.
bool has_bare_line_feed(std::string_view text, std::size_t from) {
  for (std::size_t at = text.find('\n', from); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

// One request on its way: its header, judged by Beast and copied, and what came of its body.
class HttpParser::Slow {
 public:
  // `header` ends with the empty line; an empty detail means accepted.
  Rejection open(std::string_view header, const HttpLimits& limits) {
    Header parser;
    parser.header_limit(static_cast<std::uint32_t>(header.size() + 1));
    parser.body_limit(boost::none);
    boost::system::error_code error;
    parser.put(boost::asio::buffer(header.data(), header.size()), error);
    if (error && error != http::error::need_more) return rejection_of(error);
    // Beast waits for more behind some control characters, although the header has ended.
    if (!parser.is_header_done()) return {400, "the header is malformed"};
    if (const Rejection rejection = check_header(parser); !rejection.detail.empty()) {
      return rejection;
    }
    const std::uint64_t length = parser.content_length().value_or(0);
    if (length > limits.body_bytes_max) return {413, "the body is too large"};
    body_ = parser.chunked() ? HttpBodyReader::chunked(limits.body_bytes_max,
                                                       limits.header_bytes_max - header.size())
                             : HttpBodyReader::of_length(length);
    fill(parser);
    return {0, {}};
  }

  Step put(std::string_view input, HttpRequest* request) {
    Step step;
    const HttpBodyReader::Status status = body_.read(input, &step.bytes);
    if (const Rejection rejection = rejection_of(status); !rejection.detail.empty()) {
      return {Outcome::kError, step.bytes, rejection.status, rejection.detail};
    }
    *request = request_;
    if (status == HttpBodyReader::Status::kNeedMore) {
      step.outcome = wants_continue() ? Outcome::kContinueWanted : Outcome::kNeedMore;
      return step;
    }
    request->body = body_.body();
    step.outcome = Outcome::kRequest;
    return step;
  }

  [[nodiscard]] std::size_t buffer_bytes() const { return body_.buffer_bytes(); }

 private:
  using Header = http::request_parser<http::empty_body>;

  // What Beast lets pass and this server does not. An empty detail means accepted.
  Rejection check_header(const Header& parser) {
    const auto& message = parser.get();
    if (message.count(http::field::transfer_encoding) != 0 &&
        !equals_ignoring_case(view(message[http::field::transfer_encoding]), "chunked")) {
      return {501, "the only Transfer-Encoding served is chunked"};
    }
    const Rejection rejection = collect_fields(parser);
    if (!rejection.detail.empty()) return rejection;
    if (message.version() == 11 && !request_.has(HttpField::kHost)) {
      return {400, "HTTP/1.1 requires a Host field"};
    }
    if (request_.has(HttpField::kExpect) &&
        !equals_ignoring_case(request_.field(HttpField::kExpect), "100-continue")) {
      return {417, "the only expectation served is 100-continue"};
    }
    return {0, {}};
  }

  Rejection collect_fields(const Header& parser) {
    for (const auto& line : parser.get()) {
      const std::optional<HttpField> field = http_field(view(line.name_string()));
      if (!field) continue;
      std::string& value = values_[static_cast<std::size_t>(*field)];
      if (request_.has(*field)) {
        if (!is_list(*field)) return {400, "a header field that must be single is repeated"};
        value.append(", ");
      }
      value.append(view(line.value()));
      request_.set_field(*field, value);
    }
    return {0, {}};
  }

  bool wants_continue() {
    if (!request_.has(HttpField::kExpect) || request_.http_1_0) return false;
    return !std::exchange(continue_answered_, true);
  }

  void fill(const Header& parser) {
    const auto& message = parser.get();
    request_.method = http_method(view(message.method_string()));
    target_ = origin_form(view(message.target()), request_.method);
    request_.target = target_;
    request_.http_1_0 = message.version() == 10;
    request_.keep_alive = parser.keep_alive();
  }

  HttpRequest request_;  // but for its body
  std::string target_;
  std::array<std::string, kHttpFieldNames.size()> values_;
  HttpBodyReader body_ = HttpBodyReader::of_length(0);
  bool continue_answered_ = false;
};

HttpParser::HttpParser(const HttpLimits& limits) : limits_(limits) {}
HttpParser::~HttpParser() = default;

HttpParser::Step HttpParser::parse(std::string_view input, HttpRequest* request) {
  served_.reset();
  if (slow_ != nullptr) return parse_slow_path(input, request);
  // Empty lines before a request are to be ignored (RFC 9112, section 2.2).
  std::size_t skipped = 0;
  while (input.substr(skipped, 2) == "\r\n") skipped += 2;
  input.remove_prefix(skipped);
  if (input.empty() || input == "\r") return {Outcome::kNeedMore, skipped, 0, {}};

  Step step;
  if (searched_ != 0 && find_header_end(input) == std::string_view::npos) {
    step = wait_for_header(input);
  } else if (step.bytes = scan_http_request(input, limits_, request); step.bytes != 0) {
    searched_ = 0;
    step.outcome = Outcome::kRequest;
  } else {
    step = parse_slow_path(input, request);
  }
  step.bytes += skipped;
  return step;
}

std::size_t HttpParser::find_header_end(std::string_view input) const {
  return input.find(kHeaderEnd, std::max(searched_, kHeaderEnd.size()) - kHeaderEnd.size());
}

// `input` holds no end of a header.
HttpParser::Step HttpParser::wait_for_header(std::string_view input) {
  if (is_resp(input)) return {Outcome::kResp, input.size(), 0, {}};
  if (is_tls(input)) {
    return {Outcome::kError, 0, 400, "this port speaks HTTP without TLS"};
  }
  if (has_bare_line_feed(input, searched_)) {
    return {Outcome::kError, 0, 400, "the header is malformed"};
  }
  const std::size_t line_end = input.find(kLineEnd);
  if (line_end != std::string_view::npos) {
    const Rejection rejection = judge_request_line(input.substr(0, line_end));
    if (!rejection.detail.empty()) {
      return {Outcome::kError, 0, rejection.status, rejection.detail};
    }
  }
  if (input.size() >= limits_.header_bytes_max) return header_too_large(line_end);
  searched_ = input.size();
  return {};
}

// `line_end` is where the request line of the refused header ends.
HttpParser::Step HttpParser::header_too_large(std::size_t line_end) const {
  // A line that leaves no room for the shortest end of a header.
  if (line_end > limits_.header_bytes_max - kHeaderEnd.size()) {
    return {Outcome::kError, 0, 414, "the request target is too long"};
  }
  return {Outcome::kError, 0, 431, "the header is too large"};
}

// `header` ends with the empty line.
HttpParser::Step HttpParser::open_request(std::string_view header) {
  const std::size_t line_end = header.find(kLineEnd);
  if (header.size() > limits_.header_bytes_max) return header_too_large(line_end);
  Rejection rejection = judge_request_line(header.substr(0, line_end));
  auto slow = std::make_unique<Slow>();
  if (rejection.detail.empty()) {
    std::string later;
    if (header[line_end - 1] > '1') {
      later = header;
      later[line_end - 1] = '1';
      header = later;
    }
    rejection = slow->open(header, limits_);
  }
  if (!rejection.detail.empty()) {
    return {Outcome::kError, header.size(), rejection.status, rejection.detail};
  }
  slow_ = std::move(slow);
  return {};
}

std::size_t HttpParser::buffer_bytes() const {
  return (slow_ != nullptr ? slow_->buffer_bytes() : 0) +
         (served_ != nullptr ? served_->buffer_bytes() : 0);
}

HttpParser::Step HttpParser::parse_slow_path(std::string_view input, HttpRequest* request) {
  std::size_t header_bytes = 0;
  if (slow_ == nullptr) {
    // Beast judges a header by the piece it is given; given whole ones only, it judges alike
    // however the bytes arrive.
    if (is_resp(input)) return {Outcome::kResp, input.size(), 0, {}};
    const std::size_t end = find_header_end(input);
    if (end == std::string_view::npos) return wait_for_header(input);
    searched_ = 0;
    header_bytes = end + kHeaderEnd.size();
    const Step opened = open_request(input.substr(0, header_bytes));
    if (opened.outcome == Outcome::kError) return opened;
  }
  Step step = slow_->put(input.substr(header_bytes), request);
  step.bytes += header_bytes;
  if (step.outcome == Outcome::kRequest) served_ = std::move(slow_);
  return step;
}

}  // namespace vigil::server
