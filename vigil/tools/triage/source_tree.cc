// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/source_tree.h"

#include <array>
#include <sstream>

namespace vigil::tools::triage {

namespace {

using report::Operation;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

// The expression that ends at `end`: "c.data" of "return c.data[", "cache->table" in C++.
std::string_view expression_before(std::string_view line, std::size_t end) {
  std::size_t begin = end;
  while (begin > 0) {
    if (is_name(line[begin - 1])) {
      --begin;
    } else if (begin > 1 && line.substr(begin - 2, 2) == "->") {
      begin -= 2;
    } else {
      break;
    }
  }
  return line.substr(begin, end - begin);
}

std::string_view expression_at(std::string_view line, std::size_t begin) {
  std::size_t end = begin;
  while (end < line.size() && is_name(line[end])) ++end;
  return line.substr(begin, end - begin);
}

std::size_t matching_bracket(std::string_view line, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < line.size(); ++i) {
    if (line[i] == '[') ++depth;
    if (line[i] == ']' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

// What follows "m[k]" tells a write from a read.
Operation operation_after(std::string_view rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const bool assigns = rest.starts_with('=') && !rest.starts_with("==");
  const bool changes = rest.size() > 1 && rest[1] == '=' &&
                       std::string_view("+-*/|&^%").find(rest[0]) != std::string_view::npos;
  const bool counts = rest.starts_with("++") || rest.starts_with("--");
  return assigns || changes || counts ? Operation::kMapWrite : Operation::kMapRead;
}

std::optional<SourceAccess> access_by_index(std::string_view line) {
  for (std::size_t open = line.find('['); open != line.npos; open = line.find('[', open + 1)) {
    const std::string_view object = expression_before(line, open);
    const std::size_t close = matching_bracket(line, open);
    // "map[string]int" is a type, "[]int" and "[this]" are no element.
    if (object.empty() || object == "map" || close == line.npos) continue;
    return SourceAccess{std::string(object), operation_after(line.substr(close + 1))};
  }
  return std::nullopt;
}

std::optional<SourceAccess> access_by_method(std::string_view line) {
  struct Method {
    std::string_view call;
    Operation operation;
  };
  static constexpr std::array<Method, 9> kMethods = {{
      {"erase(", Operation::kMapErase},
      {"clear()", Operation::kMapErase},
      {"insert(", Operation::kMapWrite},
      {"emplace(", Operation::kMapWrite},
      {"try_emplace(", Operation::kMapWrite},
      {"insert_or_assign(", Operation::kMapWrite},
      {"find(", Operation::kMapRead},
      {"contains(", Operation::kMapRead},
      {"count(", Operation::kMapRead},
  }};
  for (const Method& method : kMethods) {
    for (const std::string_view arrow : {".", "->"}) {
      const std::string call = std::string(arrow).append(method.call);
      const std::size_t at = line.find(call);
      if (at == line.npos) continue;
      const std::string_view object = expression_before(line, at);
      if (!object.empty()) return SourceAccess{std::string(object), method.operation};
    }
  }
  return std::nullopt;
}

std::optional<SourceAccess> access_behind(std::string_view line, std::string_view mark,
                                          Operation operation) {
  const std::size_t at = line.find(mark);
  if (at == line.npos) return std::nullopt;
  const std::string_view object = expression_at(line, at + mark.size());
  if (object.empty()) return std::nullopt;
  return SourceAccess{std::string(object), operation};
}

}  // namespace

std::optional<SourceAccess> access_in(std::string_view source_line) {
  if (auto found = access_behind(source_line, "delete(", Operation::kMapErase)) return found;
  if (auto found = access_behind(source_line, "range ", Operation::kMapIterate)) return found;
  if (auto found = access_by_method(source_line)) return found;
  return access_by_index(source_line);
}

SourceTree::SourceTree(const std::string& folder)
    : project_(input::project_root(folder)), takes_tails_(!folder.empty()) {}

std::optional<std::string> SourceTree::line(const std::string& file, int number) {
  if (file.empty() || number < 1) return std::nullopt;
  const std::vector<std::string>& lines = lines_of(file);
  const auto index = static_cast<std::size_t>(number) - 1;
  if (index >= lines.size()) return std::nullopt;
  const std::size_t text = lines[index].find_first_not_of(" \t");
  return text == std::string::npos ? std::string() : lines[index].substr(text);
}

const std::vector<std::string>& SourceTree::lines_of(const std::string& file) {
  const auto known = files_.find(file);
  if (known != files_.end()) return known->second;
  if (files_.size() == kFilesMax) files_.clear();
  std::vector<std::string>& lines = files_[file];
  if (spent_ >= kTimeMax) return lines;
  const auto start = std::chrono::steady_clock::now();
  if (const std::optional<std::string> content = find(file)) {
    std::istringstream stream(*content);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
  }
  spent_ += std::chrono::steady_clock::now() - start;
  return lines;
}

std::optional<std::string> SourceTree::find(const std::string& file) const {
  if (const std::optional<std::string> path = project_.below(file)) {
    if (std::optional<std::string> content = project_.read(*path, kFileBytesMax)) return content;
  }
  std::string_view tail = file;
  for (std::size_t folders = 0; takes_tails_ && folders < kFoldersMax; ++folders) {
    const std::size_t slash = tail.find('/');
    if (slash == std::string_view::npos) break;
    tail.remove_prefix(slash + 1);
    const std::optional<std::string> path = project_.below(std::string(tail));
    if (!path || tail.starts_with('/')) continue;
    if (std::optional<std::string> content = project_.read(*path, kFileBytesMax)) return content;
  }
  return std::nullopt;
}

}  // namespace vigil::tools::triage
