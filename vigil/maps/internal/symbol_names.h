// SPDX-License-Identifier: Apache-2.0
//
// SymbolNames: the functions that addresses of this process lie in, by the symbol tables of its own
// executable and libraries (the full one where a file is not stripped, else the exported names).
//
// Use when: a report must name functions without debug information or a debugger. Use instead: the
// symbolizer of vigil/tools, which knows files, lines and inlined calls, offline.
//
// Thread safety: none; one object, one thread. Errors: what cannot be read has no name.
// Complexity: one pass over a module's symbols for each address.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vigil::maps::internal {

struct CodePlace {
  std::string function;      // without template arguments; empty if unknown
  std::string module;        // path; empty if unknown
  std::uint64_t offset = 0;  // in the module
};

class SymbolNames {
 public:
  SymbolNames() = default;
  ~SymbolNames();
  SymbolNames(const SymbolNames&) = delete;
  SymbolNames& operator=(const SymbolNames&) = delete;

  [[nodiscard]] CodePlace find(std::uintptr_t address);

 private:
  struct Module {
    std::string path;
    std::span<const std::byte> image;  // the mapped file; empty if it could not be mapped
  };
  const Module& module_at(const std::string& path);

  std::vector<Module> modules_;
};

// "int f<std::pair<A, B> >(int)" -> "int f(int)".
[[nodiscard]] std::string without_template_arguments(std::string_view name);

}  // namespace vigil::maps::internal
