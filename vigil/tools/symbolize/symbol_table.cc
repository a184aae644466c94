// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/symbolize/symbol_table.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <tuple>

namespace vigil::tools {

namespace {

// How many symbols that start before an address are looked at: aliases and nested symbols.
constexpr int kCandidatesMax = 16;

// "fopen" rather than "_IO_fopen" or "fopen64", a global name rather than a local one.
int preference_of(std::string_view name, unsigned char info) {
  name = name.substr(0, name.find('@'));  // a symbol's version: fopen@@GLIBC_2.2.5
  const std::size_t underscores = std::min<std::size_t>(name.find_first_not_of('_'), 9);
  const std::size_t binding = GELF_ST_BIND(info) == STB_LOCAL ? 1 : 0;
  return static_cast<int>((underscores * 2 + binding) * 256 +
                          std::min<std::size_t>(name.size(), 255));
}

// Ends symbols without a size where the next one begins, and puts the best of each address first.
void finish(std::vector<Symbol>* symbols) {
  std::sort(symbols->begin(), symbols->end(), [](const Symbol& a, const Symbol& b) {
    return std::tie(a.begin, a.preference) < std::tie(b.begin, b.preference);
  });
  std::uint64_t next = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = symbols->size(); i-- > 0;) {
    Symbol& symbol = (*symbols)[i];
    if (i + 1 < symbols->size() && (*symbols)[i + 1].begin != symbol.begin) {
      next = (*symbols)[i + 1].begin;
    }
    if (symbol.end == symbol.begin) symbol.end = next;
  }
}

const Symbol* find(const std::vector<Symbol>& symbols, std::uint64_t address) {
  auto after =
      std::upper_bound(symbols.begin(), symbols.end(), address,
                       [](std::uint64_t value, const Symbol& s) { return value < s.begin; });
  const Symbol* found = nullptr;
  for (int i = 0; i < kCandidatesMax && after != symbols.begin(); ++i) {
    --after;
    if (found != nullptr && after->begin != found->begin) break;
    if (address < after->end) found = &*after;
  }
  return found;
}

}  // namespace

SymbolTable::SymbolTable(Dwfl_Module* module) {
  const int count = dwfl_module_getsymtab(module);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol;
    GElf_Addr address = 0;
    const char* name =
        dwfl_module_getsym_info(module, i, &symbol, &address, nullptr, nullptr, nullptr);
    if (name == nullptr || *name == '\0' || symbol.st_shndx == SHN_UNDEF) continue;
    const Symbol entry{address, address + symbol.st_size, name,
                       preference_of(name, symbol.st_info)};
    const int type = GELF_ST_TYPE(symbol.st_info);
    if (type == STT_FUNC || type == STT_GNU_IFUNC) functions_.push_back(entry);
    if (type == STT_OBJECT && symbol.st_size != 0) objects_.push_back(entry);
  }
  finish(&functions_);
  finish(&objects_);
}

const Symbol* SymbolTable::function_at(std::uint64_t address) const {
  return find(functions_, address);
}

const Symbol* SymbolTable::object_at(std::uint64_t address) const {
  return find(objects_, address);
}

}  // namespace vigil::tools
