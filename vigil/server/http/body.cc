// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/body.h"

#include <algorithm>
#include <optional>

#include "vigil/server/http/text.h"

namespace vigil::server {

namespace {

using Status = HttpBodyReader::Status;

constexpr std::string_view kLineEnd = "\r\n";

std::optional<std::size_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::size_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::size_t>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<std::size_t>(c - 'A') + 10;
  return std::nullopt;
}

bool is_token_char(char c) {
  const bool alphanumeric =
      (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return alphanumeric || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_text_char(char c) {
  const auto code = static_cast<unsigned char>(c);
  return c == '\t' || (code >= 0x20 && code != 0x7F);
}

// Takes `c` from the front of *text; false if it is not there.
bool take(char c, std::string_view* text) {
  if (!text->starts_with(c)) return false;
  text->remove_prefix(1);
  return true;
}

void skip_blanks(std::string_view* text) {
  while (text->starts_with(' ') || text->starts_with('\t')) text->remove_prefix(1);
}

std::string_view take_token(std::string_view* text) {
  const auto* const end = std::find_if_not(text->begin(), text->end(), is_token_char);
  const std::string_view token = text->substr(0, static_cast<std::size_t>(end - text->begin()));
  text->remove_prefix(token.size());
  return token;
}

// The rest of a quoted string whose opening quote was taken.
bool take_quoted(std::string_view* text) {
  while (!text->empty()) {
    const char c = text->front();
    text->remove_prefix(1);
    if (c == '"') return true;
    if (c == '\\') {
      if (text->empty() || !is_text_char(text->front())) return false;
      text->remove_prefix(1);
    } else if (!is_text_char(c)) {
      return false;
    }
  }
  return false;
}

// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
bool are_extensions(std::string_view text) {
  while (!text.empty()) {
    skip_blanks(&text);
    if (!take(';', &text)) return false;
    skip_blanks(&text);
    if (take_token(&text).empty()) return false;
    std::string_view value = text;
    skip_blanks(&value);
    if (!take('=', &value)) continue;
    skip_blanks(&value);
    const bool has_value = take('"', &value) ? take_quoted(&value) : !take_token(&value).empty();
    if (!has_value) return false;
    text = value;
  }
  return true;
}

// A field may not say after the body how the body was to be read.
bool is_trailer_field(std::string_view line) {
  const std::string_view name = take_token(&line);
  const std::optional<HttpField> field = http_field(name);
  if (field == HttpField::kContentLength || field == HttpField::kTransferEncoding) return false;
  return !name.empty() && take(':', &line) && std::all_of(line.begin(), line.end(), is_text_char);
}

}  // namespace

HttpBodyReader HttpBodyReader::of_length(std::size_t bytes) {
  HttpBodyReader reader;
  reader.size_left_ = bytes;
  reader.state_ = bytes == 0 ? State::kDone : State::kData;
  return reader;
}

HttpBodyReader HttpBodyReader::chunked(std::size_t body_bytes_max, std::size_t framing_bytes_max) {
  HttpBodyReader reader;
  reader.is_chunked_ = true;
  reader.body_left_ = body_bytes_max;
  reader.framing_left_ = framing_bytes_max;
  reader.begin_chunk();
  return reader;
}

Status HttpBodyReader::read(std::string_view input, std::size_t* taken) {
  std::string_view rest = input;
  Status status = Status::kNeedMore;
  while (status == Status::kNeedMore && state_ != State::kDone && !rest.empty()) {
    status = step(&rest);
  }
  *taken += input.size() - rest.size();
  if (status != Status::kNeedMore) return status;
  return state_ == State::kDone ? Status::kDone : Status::kNeedMore;
}

Status HttpBodyReader::step(std::string_view* input) {
  switch (state_) {
    case State::kSize:
      return read_size(input);
    case State::kExtensions:
      return read_extensions(input);
    case State::kData:
      return read_data(input);
    case State::kDataEnd:
      return read_data_end(input);
    case State::kTrailer:
      return read_trailer(input);
    case State::kDone:
      break;
  }
  return Status::kDone;
}

void HttpBodyReader::begin_chunk() {
  state_ = State::kSize;
  has_digit_ = false;
  size_left_ = 0;
}

Status HttpBodyReader::read_size(std::string_view* input) {
  const std::optional<std::size_t> digit = hex_digit(input->front());
  if (!digit) {
    if (!has_digit_) return Status::kMalformed;
    state_ = State::kExtensions;
    framing_left_ += kLineEnd.size();  // free
    return Status::kNeedMore;
  }
  input->remove_prefix(1);
  const bool leading_zero = has_digit_ && size_left_ == 0;
  if (leading_zero && !spend(1)) return Status::kFramingTooLarge;
  has_digit_ = true;
  if (size_left_ > body_left_ / 16) return Status::kBodyTooLarge;
  size_left_ = size_left_ * 16 + *digit;
  return size_left_ > body_left_ ? Status::kBodyTooLarge : Status::kNeedMore;
}

Status HttpBodyReader::read_extensions(std::string_view* input) {
  if (const Status status = read_line(input); status != Status::kDone) return status;
  if (!are_extensions(line_)) return Status::kMalformed;
  line_.clear();
  body_left_ -= size_left_;
  state_ = size_left_ == 0 ? State::kTrailer : State::kData;
  if (state_ == State::kTrailer) framing_left_ += kLineEnd.size();  // of the line that ends it
  return Status::kNeedMore;
}

Status HttpBodyReader::read_data(std::string_view* input) {
  const std::string_view data = input->substr(0, size_left_);
  body_.append(data);
  size_left_ -= data.size();
  input->remove_prefix(data.size());
  if (size_left_ == 0) state_ = is_chunked_ ? State::kDataEnd : State::kDone;
  return Status::kNeedMore;
}

Status HttpBodyReader::read_data_end(std::string_view* input) {
  if (input->front() != kLineEnd[line_.size()]) return Status::kMalformed;
  line_.push_back(input->front());
  input->remove_prefix(1);
  if (line_ != kLineEnd) return Status::kNeedMore;
  line_.clear();
  begin_chunk();
  return Status::kNeedMore;
}

Status HttpBodyReader::read_trailer(std::string_view* input) {
  if (const Status status = read_line(input); status != Status::kDone) return status;
  if (line_.empty()) {
    state_ = State::kDone;
    return Status::kNeedMore;
  }
  if (!is_trailer_field(line_)) return Status::kMalformed;
  line_.clear();
  return Status::kNeedMore;
}

// False if the budget does not suffice.
bool HttpBodyReader::spend(std::size_t framing_bytes) {
  if (framing_bytes > framing_left_) return false;
  framing_left_ -= framing_bytes;
  return true;
}

// kDone when line_ is whole; its line end is cut off then.
Status HttpBodyReader::read_line(std::string_view* input) {
  const std::size_t newline = input->find('\n');
  const std::string_view part =
      input->substr(0, newline == std::string_view::npos ? newline : newline + 1);
  if (!spend(part.size())) return Status::kFramingTooLarge;
  line_.append(part);
  input->remove_prefix(part.size());
  if (newline == std::string_view::npos) return Status::kNeedMore;
  if (!line_.ends_with(kLineEnd)) return Status::kMalformed;
  line_.resize(line_.size() - kLineEnd.size());
  return Status::kDone;
}

}  // namespace vigil::server
