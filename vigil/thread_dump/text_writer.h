// SPDX-License-Identifier: Apache-2.0
//
// TextWriter: formats text into a fixed buffer and hands it on when the buffer is full.
//
// Use when: stdio and strings are not allowed, as in a signal handler.
// Context: signal. Allocates nothing, takes no lock.
// Thread safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vigil::thread_dump {

// Where text goes: a function and its argument.
struct TextSink {
  void (*write)(void* argument, std::string_view text) = nullptr;
  void* argument = nullptr;
};

// Writes to a descriptor until all is written or an error ends it.
TextSink descriptor_sink(const int* descriptor);

class TextWriter {
 public:
  explicit TextWriter(TextSink sink) : sink_(sink) {}
  ~TextWriter() { flush(); }
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  TextWriter& text(std::string_view text);
  TextWriter& decimal(std::uint64_t number);
  TextWriter& hex(std::uint64_t number);  // with 0x
  // Control characters and quotes become '?': one name stays one word of one line.
  TextWriter& quoted(std::string_view text);
  void flush();

 private:
  TextSink sink_;
  std::array<char, 1024> buffer_;
  std::size_t size_ = 0;
};

}  // namespace vigil::thread_dump
