// SPDX-License-Identifier: Apache-2.0
//
// Symbolizer: from addresses of a process, a core file or a record of either to functions, inline
// chains, source lines and names of global variables.
//
//   const Module modules[] = {{"/usr/bin/app", 0x555555554000, 0x555555560000, 0x555555554000}};
//   Symbolizer symbolizer(modules);
//   report::Stack stack = symbolizer.stack_of(return_addresses);
//   std::optional<report::Location> where = symbolizer.global_at(racing_address);
//
// What it falls back on: DWARF (in the file or found as separate debug information by build id),
// then the ELF symbols, then module and offset.
//
// Complexity: an address is looked up once and remembered; the first one in a compilation unit
// reads that unit. Thousands of addresses take well under a second after loading.
// Thread safety: none.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/symbolize/debug_info.h"

namespace vigil::tools {

// A file that was mapped into the process, as report::ModuleRecord has it.
struct Module {
  std::string path;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bias = 0;  // address in memory = address in the file + bias
};

class Symbolizer {
 public:
  // Opens the files of the modules; one that cannot be opened gives module and offset only.
  explicit Symbolizer(std::span<const Module> modules);
  // Of a process or core file whose modules were reported. REQUIRES: `dwfl` outlives it.
  explicit Symbolizer(Dwfl* dwfl);
  ~Symbolizer();
  Symbolizer(const Symbolizer&) = delete;
  Symbolizer& operator=(const Symbolizer&) = delete;

  // The frames at one program counter: inlined functions innermost first, then the function that
  // holds the code. Never empty. The reference stays valid.
  const report::Stack& frames_at(std::uint64_t pc);

  // The frames of return addresses, innermost first: each is looked up at the call before it.
  report::Stack stack_of(std::span<const std::uint64_t> return_addresses);

  // The global or static variable (or its member) at a data address, and its type if the debug
  // information has it: object "server.table", type "std::unordered_map<int, User>".
  std::optional<report::Location> global_at(std::uint64_t address);

  // The debug information of the module that holds the address, or nullptr.
  DebugInfo* debug_info_at(std::uint64_t address);

 private:
  struct LoadedModule;

  LoadedModule* module_at(std::uint64_t address);
  report::Stack symbolize(std::uint64_t pc);
  void add_scopes(LoadedModule* module, std::uint64_t pc, report::Stack* stack);
  std::string unopened_module(std::uint64_t address, std::uint64_t* bias) const;
  const std::string& name_of(LoadedModule* module, std::uint64_t pc, Dwarf_Die* function,
                             bool is_inlined);

  std::vector<Module> modules_;  // of the offline kind
  Dwfl* owned_ = nullptr;
  Dwfl* dwfl_ = nullptr;
  std::unordered_map<Dwfl_Module*, std::unique_ptr<LoadedModule>> loaded_;
  std::unordered_map<std::uint64_t, report::Stack> frames_;
  std::unordered_map<const void*, std::string> names_;  // by the address of the DWARF entry
};

}  // namespace vigil::tools
