// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/go_frame.h"

#include <cstddef>
#include <optional>

#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

// Where the arguments begin: the last "(" at the level of the text, so that "(*Users).Put(0x1)"
// keeps its receiver. The size of the text if there are none.
std::size_t arguments_at(std::string_view text) {
  if (!text.ends_with(')')) return text.size();
  int depth = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == ')') ++depth;
    if (text[i] == '(' && --depth == 0) return i;
  }
  return text.size();
}

// "example.com/svc/cache.(*Users).Put" -> "example.com/svc/cache"
std::string_view package_of(std::string_view function) {
  const std::size_t slash = function.rfind('/', function.find('('));
  const std::size_t dot = function.find('.', slash == std::string_view::npos ? 0 : slash);
  return dot == std::string_view::npos ? std::string_view() : function.substr(0, dot);
}

// The value of the argument `index`, if it is a plain number that is known to be current.
std::optional<std::uint64_t> argument(std::string_view arguments, int index) {
  int depth = 0;
  int at = 0;
  for (std::size_t i = 0; i <= arguments.size() && at <= index; ++i) {
    if (at == index && depth == 0) {
      Scanner scan(arguments.substr(i));
      scan.skip_spaces();
      const std::optional<std::uint64_t> value = scan.hex();
      const bool ends = scan.at_end() || scan.rest().front() == ',';
      return value && ends ? value : std::nullopt;
    }
    if (i == arguments.size()) break;
    if (arguments[i] == '{') ++depth;
    if (arguments[i] == '}') --depth;
    if (arguments[i] == ',' && depth == 0) ++at;
  }
  return std::nullopt;
}

}  // namespace

report::Frame go_frame(std::string_view text) {
  report::Frame frame;
  frame.function = text.substr(0, arguments_at(text));
  frame.module = package_of(frame.function);
  return frame;
}

void set_go_place(std::string_view text, report::Frame* frame) {
  std::string_view place = text;
  if (const std::size_t offset = text.rfind(" +0x"); offset != std::string_view::npos) {
    place = text.substr(0, offset);
    Scanner scan(text.substr(offset));
    if (scan.until(" pc=")) frame->address = scan.hex().value_or(0);
  }
  const FilePosition position = file_position(place);
  frame->file = position.file;
  frame->line = position.line;
}

std::uint64_t go_map_pointer(std::string_view text) {
  const std::size_t at = arguments_at(text);
  if (at == text.size()) return 0;
  const std::string_view function = text.substr(0, at);
  const std::string_view arguments = text.substr(at + 1, text.size() - at - 2);
  // runtime.mapassign(type, map, key); internal/runtime/maps.(*Map).PutSlot(map, ...). An iterator
  // does not show its map.
  if (function.starts_with("runtime.mapiternext") || function.starts_with("runtime.mapIterNext")) {
    return 0;
  }
  if (function.starts_with("runtime.map") || function.starts_with("reflect.map") ||
      function.starts_with("internal/runtime/maps.runtime_map")) {
    return argument(arguments, 1).value_or(0);
  }
  if (function.starts_with("internal/runtime/maps.(*Map)."))
    return argument(arguments, 0).value_or(0);
  return 0;
}

}  // namespace vigil::tools::evidence
