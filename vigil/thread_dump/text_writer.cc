// SPDX-License-Identifier: Apache-2.0
#include "vigil/thread_dump/text_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace vigil::thread_dump {

namespace {

void write_to_descriptor(void* argument, std::string_view text) {
  const int descriptor = *static_cast<const int*>(argument);
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

TextSink descriptor_sink(const int* descriptor) {
  return {write_to_descriptor, const_cast<int*>(descriptor)};
}

TextWriter& TextWriter::text(std::string_view text) {
  while (!text.empty()) {
    if (size_ == buffer_.size()) flush();
    const std::size_t part = std::min(text.size(), buffer_.size() - size_);
    std::copy_n(text.data(), part, buffer_.data() + size_);
    size_ += part;
    text.remove_prefix(part);
  }
  return *this;
}

TextWriter& TextWriter::decimal(std::uint64_t number) {
  std::array<char, 20> digits;
  std::size_t at = digits.size();
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return text({digits.data() + at, digits.size() - at});
}

TextWriter& TextWriter::hex(std::uint64_t number) {
  std::array<char, 16> digits;
  std::size_t at = digits.size();
  do {
    digits[--at] = "0123456789abcdef"[number & 15];
    number >>= 4;
  } while (number != 0);
  return text("0x").text({digits.data() + at, digits.size() - at});
}

TextWriter& TextWriter::quoted(std::string_view text) {
  this->text("\"");
  for (const char c : text) {
    const bool is_plain = static_cast<unsigned char>(c) >= ' ' && c != '"' && c != 127;
    this->text(is_plain ? std::string_view(&c, 1) : "?");
  }
  return this->text("\"");
}

void TextWriter::flush() {
  if (size_ != 0) sink_.write(sink_.argument, {buffer_.data(), size_});
  size_ = 0;
}

}  // namespace vigil::thread_dump
