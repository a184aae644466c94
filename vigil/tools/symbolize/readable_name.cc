// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/symbolize/readable_name.h"

#include <cxxabi.h>

#include <cctype>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace vigil::tools {

namespace {

constexpr int kNestingMax = 100;  // of brackets; deeper names stay as they are
constexpr std::size_t kTidiedBytesMax = 64 << 10;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

// Whether `argument` is what a template would use after the arguments `first` and `second`.
bool is_default(std::string_view argument, std::string_view first, std::string_view second) {
  static constexpr std::string_view kOfFirst[] = {
      "std::allocator<",
      "std::less<",
      "std::hash<",
      "std::equal_to<",
      "std::char_traits<",
      "std::default_delete<",
      "boost::hash<",
      "absl::hash_internal::Hash<",
      "absl::container_internal::hash_default_hash<",
      "absl::container_internal::hash_default_eq<",
      "tbb::detail::d1::tbb_hash_compare<",
  };
  if (!argument.ends_with('>')) return false;
  const std::string_view whole = argument;
  argument.remove_suffix(1);
  for (const std::string_view prefix : kOfFirst) {
    if (argument.starts_with(prefix) && argument.substr(prefix.size()) == first) return true;
  }
  for (const std::string_view allocator : {"std::allocator<", "tbb::detail::d1::tbb_allocator<"}) {
    if (!whole.starts_with(allocator)) continue;
    const std::string pair =
        std::string("std::pair<").append(first).append(" const, ").append(second).append(">>");
    const std::string pair_east =
        std::string("std::pair<const ").append(first).append(", ").append(second).append(">>");
    const std::string_view rest = whole.substr(allocator.size());
    if (rest == pair || rest == pair_east) return true;
  }
  return whole.starts_with("absl::container_internal::StringHash>");
}

// A template of a library's insides: only its first argument says anything to a reader.
bool is_internal_template(std::string_view name) {
  return name.find("std::_") != std::string_view::npos ||
         name.find("std::__detail::") != std::string_view::npos ||
         name.find("container_internal::") != std::string_view::npos ||
         name.find("unordered::detail::") != std::string_view::npos;
}

// One spelling for what DWARF and the demangler write differently: "long unsigned int" and
// "unsigned long", "4" and "4ul".
std::string tidy_argument(std::string_view argument) {
  static constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
      {"long unsigned int", "unsigned long"},   {"long long unsigned int", "unsigned long long"},
      {"short unsigned int", "unsigned short"}, {"long int", "long"},
      {"long long int", "long long"},           {"short int", "short"},
  };
  for (const auto& [dwarf, demangled] : kSpellings) {
    if (argument == dwarf) return std::string(demangled);
  }
  const std::size_t digits = argument.find_first_not_of("-0123456789");
  if (digits != 0 && digits != std::string_view::npos &&
      argument.find_first_not_of("ul", digits) == std::string_view::npos) {
    return std::string(argument.substr(0, digits));
  }
  return std::string(argument);
}

// Rewrites a demangled name from left to right.
class Tidier {
 public:
  explicit Tidier(std::string_view text) : text_(text) {}

  // False if the brackets do not match or nest too deep.
  bool run(std::string* out) {
    return parse("", 0, out) && position_ == text_.size() && out->size() <= kTidiedBytesMax;
  }

 private:
  // Copies up to a character of `ends` outside brackets, or the end of the text.
  bool parse(std::string_view ends, int nesting, std::string* out) {
    if (nesting > kNestingMax) return false;
    const std::size_t start = out->size();
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (ends.find(c) != std::string_view::npos) return true;
      if (copy_operator(out)) continue;
      if (c == '<') {
        if (!arguments(out->substr(start), nesting, out)) return false;
      } else if (c == '(' || c == '{') {
        if (!brackets(c == '(' ? ")" : "}", nesting, out)) return false;
      } else if (!skip_inline_namespace(*out)) {
        out->push_back(c);
        ++position_;
      }
    }
    return ends.empty();
  }

  // The brackets of an operator's name are not brackets: operator<<, operator->, operator().
  bool copy_operator(std::string* out) {
    constexpr std::string_view kOperator = "operator";
    const std::string_view rest = text_.substr(position_);
    if (!rest.starts_with(kOperator) || (!out->empty() && is_word(out->back()))) return false;
    std::size_t size = kOperator.size();
    if (rest.substr(size).starts_with("()")) {
      size += 2;
    } else {
      while (size < rest.size() && std::string_view("<>=-").find(rest[size]) != rest.npos) ++size;
    }
    if (size == kOperator.size() && size < rest.size() && is_word(rest[size])) return false;
    out->append(rest.substr(0, size));
    position_ += size;
    return true;
  }

  bool skip_inline_namespace(std::string_view written) {
    if (!written.ends_with("::")) return false;
    const std::string_view rest = text_.substr(position_);
    for (const std::string_view name : {"__cxx11::", "__1::"}) {
      if (!rest.starts_with(name)) continue;
      position_ += name.size();
      return true;
    }
    if (!rest.starts_with("lts_")) return false;  // absl::lts_20220623::
    const std::size_t colons = rest.find("::");
    if (colons == std::string_view::npos) return false;
    position_ += colons + 2;
    return true;
  }

  bool brackets(std::string_view end, int nesting, std::string* out) {
    out->push_back(text_[position_++]);
    if (!parse(end, nesting + 1, out) || position_ == text_.size()) return false;
    out->push_back(text_[position_++]);
    return true;
  }

  bool arguments(std::string_view name, int nesting, std::string* out) {
    const std::string template_name(name);
    std::vector<std::string> list;
    do {
      ++position_;  // '<' or ','
      std::string argument;
      if (!parse(",>", nesting + 1, &argument) || position_ == text_.size()) return false;
      list.push_back(tidy_argument(trimmed(argument)));
    } while (text_[position_] == ',');
    ++position_;  // '>'
    write_arguments(template_name, std::move(list), out);
    return true;
  }

  static void write_arguments(std::string_view name, std::vector<std::string> list,
                              std::string* out) {
    const std::size_t written = list.size();
    while (list.size() > 1 && is_default(list.back(), list[0], list[1])) list.pop_back();
    const bool shorten = list.size() > 1 && is_internal_template(name);
    if (shorten) list.resize(1);
    if (name.ends_with("std::basic_string") && list.size() == 1 && list[0] == "char") {
      out->resize(out->size() - std::string_view("basic_string").size());
      out->append("string");
      return;
    }
    if (name.ends_with("std::basic_string_view") && list.size() == 1 && list[0] == "char") {
      out->resize(out->size() - std::string_view("basic_string_view").size());
      out->append("string_view");
      return;
    }
    out->push_back('<');
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i != 0) out->append(", ");
      out->append(list[i]);
    }
    if (shorten && written > 1) out->append(", ...");
    out->push_back('>');
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

// Names that do not begin so are C's: "x" is no type, though types are mangled like that.
bool is_mangled(std::string_view linkage_name) { return linkage_name.starts_with("_Z"); }

std::string demangled(const char* linkage_name) {
  if (!is_mangled(linkage_name)) return linkage_name;
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(linkage_name, nullptr, nullptr, &status), &std::free);
  return status == 0 && name != nullptr ? std::string(name.get()) : std::string(linkage_name);
}

// "main.cold" -> "main", "__GI_abort" (the C library's name for its own use) -> "abort".
std::string_view without_c_marks(std::string_view name) {
  constexpr std::string_view kInternal = "__GI_";
  if (name.starts_with(kInternal)) name.remove_prefix(kInternal.size());
  for (const std::string_view mark : {".cold", ".part.", ".isra.", ".constprop.", ".lto_priv."}) {
    name = name.substr(0, name.find(mark));
  }
  return name;
}

// "f(int) const [clone .cold]" -> "f(int)"
std::string_view without_suffixes(std::string_view name) {
  const std::size_t clone = name.find(" [clone ");
  if (clone != std::string_view::npos) name = name.substr(0, clone);
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view suffix : {" const", " volatile", " &&", " &", " noexcept"}) {
      if (!name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      again = true;
    }
  }
  return name;
}

std::string_view without_parameters(std::string_view name) {
  if (!name.ends_with(')') || name.ends_with("(anonymous namespace)")) return name;
  int depth = 0;
  for (std::size_t i = name.size(); i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] != '(' || --depth != 0) continue;
    const std::string_view before = name.substr(0, i);
    return before.empty() || before.ends_with("operator") ? name : before;
  }
  return name;
}

// "void visit<int>" -> "visit<int>"; "Cache::operator bool" stays.
std::string_view without_return_type(std::string_view name) {
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (depth == 0 && name.substr(i).starts_with("operator") && (i == 0 || !is_word(name[i - 1]))) {
      break;
    }
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == ')' || c == '}' || (c == '>' && name[i - 1] != '-')) --depth;
    if (c == ' ' && depth == 0) start = i + 1;
  }
  return name.substr(start);
}

}  // namespace

std::string tidy_name(std::string_view demangled_name) {
  std::string tidied;
  return Tidier(demangled_name).run(&tidied) ? tidied : std::string(demangled_name);
}

std::string symbol_name(const char* linkage_name) {
  const std::string_view name = linkage_name;
  const std::string unversioned(name.substr(0, name.find('@')));  // fopen@@GLIBC_2.2.5
  return tidy_name(demangled(unversioned.c_str()));
}

std::string function_name(const char* linkage_name) {
  if (!is_mangled(linkage_name)) {
    return std::string(without_c_marks(symbol_name(linkage_name)));
  }
  const std::string name = symbol_name(linkage_name);
  return std::string(without_return_type(without_parameters(without_suffixes(name))));
}

}  // namespace vigil::tools
