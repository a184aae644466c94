// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/verdict.h"

#include <algorithm>
#include <cstddef>

#include "vigil/tools/layers/plain_name.h"

namespace vigil::tools::triage {

namespace {

using evidence::Collision;
using evidence::Side;
using report::Operation;

// "timer/cron (`Put`, cache/users.go:8, called by `cronRefresh`)"
std::string actor(const Side& side) {
  std::string text(layers::to_string(side.layer));
  text.append(" (`").append(sentence_name(side.function)).append("`");
  if (!side.file.empty()) {
    text.append(", ").append(short_path(side.file));
    if (side.line > 0) text.append(":").append(std::to_string(side.line));
  }
  if (!side.entry.empty()) {
    text.append(", called by `").append(sentence_name(side.entry)).append("`");
  }
  return text.append(")");
}

// "`u.m` (Go map at 0xc000094c30)"
std::string quoted(const std::string& object) {
  if (object.empty()) return "the same memory";
  const std::size_t note = object.rfind(" (");
  const std::string name = object.substr(0, note);
  return "`" + name + "`" + (note == std::string::npos ? "" : object.substr(note));
}

bool is_closure(std::string_view part) {
  return part.starts_with("func") || (!part.empty() && part.front() >= '0' && part.front() <= '9');
}

}  // namespace

std::string_view verb(Operation operation) {
  switch (operation) {
    case Operation::kMapErase:
      return "deletes";
    case Operation::kMapWrite:
    case Operation::kWrite:
    case Operation::kAtomicWrite:
      return "writes";
    case Operation::kMapRead:
    case Operation::kRead:
    case Operation::kAtomicRead:
      return "reads";
    case Operation::kMapIterate:
      return "iterates over";
    case Operation::kFree:
      return "frees";
    case Operation::kUnknown:
      break;
  }
  return "touches";
}

std::string sentence_name(std::string_view function) {
  std::string name = layers::short_name(function);
  if (name.find("::") != std::string::npos) return name;
  // Go: the method without its receiver; a closure keeps the function that it is in.
  std::size_t begin = name.size();
  while (begin > 0) {
    const std::size_t dot = name.rfind('.', begin - 1);
    const std::size_t start = dot == std::string::npos ? 0 : dot + 1;
    const std::string_view part = std::string_view(name).substr(start, begin - start);
    if (!is_closure(part) || start == 0) return name.substr(start);
    begin = dot;
  }
  return name;
}

std::string short_path(std::string_view file) {
  const std::size_t last = file.rfind('/');
  if (last == std::string_view::npos || last == 0) return std::string(file);
  const std::size_t before = file.rfind('/', last - 1);
  return std::string(before == std::string_view::npos ? file : file.substr(before + 1));
}

std::string verdict(const Collision& collision) {
  if (collision.sides.empty()) return collision.message;
  const Side* first = &collision.sides.front();
  const Side* second = collision.sides.size() > 1 ? &collision.sides[1] : nullptr;
  // Who changes the map is named first.
  if (second != nullptr && report::is_write(second->operation) &&
      !report::is_write(first->operation)) {
    std::swap(first, second);
  }
  const std::string object = quoted(collision.object);
  std::string text = actor(*first);
  text.append(" ").append(verb(first->operation));
  if (second == nullptr) {
    return text.append(" ").append(object).append("; the other side is not in the evidence");
  }
  text.append(" while ").append(actor(*second)).append(" ").append(verb(second->operation));
  return text.append(" ").append(object);
}

}  // namespace vigil::tools::triage
