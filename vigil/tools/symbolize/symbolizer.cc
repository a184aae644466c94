// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/symbolize/symbolizer.h"

#include <dwarf.h>

#include "vigil/tools/symbolize/readable_name.h"
#include "vigil/tools/symbolize/symbol_table.h"
#include "vigil/tools/symbolize/type_info.h"

namespace vigil::tools {

namespace {

const Dwfl_Callbacks* offline_callbacks() {
  static char* debug_path = nullptr;  // the default: beside the file, .debug/, /usr/lib/debug
  static const Dwfl_Callbacks callbacks = {dwfl_build_id_find_elf, dwfl_standard_find_debuginfo,
                                           dwfl_offline_section_address, &debug_path};
  return &callbacks;
}

const char* linkage_name_of(Dwarf_Die* function) {
  Dwarf_Attribute attribute;
  if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) == nullptr &&
      dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute) == nullptr) {
    return nullptr;
  }
  return dwarf_formstring(&attribute);
}

// The entry that names an inlined or out-of-line copy.
Dwarf_Die origin_of(Dwarf_Die function) {
  Dwarf_Attribute attribute;
  Dwarf_Die origin;
  if (dwarf_attr(&function, DW_AT_abstract_origin, &attribute) != nullptr &&
      dwarf_formref_die(&attribute, &origin) != nullptr) {
    return origin;
  }
  return function;
}

std::string path_of(Dwfl_Module* module) {
  const char* file = nullptr;
  const char* name =
      dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, &file, nullptr);
  if (file != nullptr) return file;
  return name == nullptr ? "" : name;
}

}  // namespace

struct Symbolizer::LoadedModule {
  explicit LoadedModule(Dwfl_Module* module) : symbols(module), debug_info(module) {
    GElf_Addr elf_bias = 0;
    if (dwfl_module_getelf(module, &elf_bias) != nullptr) bias = elf_bias;
    path = path_of(module);
  }

  SymbolTable symbols;
  DebugInfo debug_info;
  std::string path;
  std::uint64_t bias = 0;
};

Symbolizer::Symbolizer(std::span<const Module> modules)
    : modules_(modules.begin(), modules.end()), owned_(dwfl_begin(offline_callbacks())) {
  dwfl_ = owned_;
  if (dwfl_ == nullptr) return;
  dwfl_report_begin(dwfl_);
  for (const Module& module : modules_) {
    const char* path = module.path.c_str();
    dwfl_report_elf(dwfl_, path, path, -1, module.bias, true);
  }
  dwfl_report_end(dwfl_, nullptr, nullptr);
}

Symbolizer::Symbolizer(Dwfl* dwfl) : dwfl_(dwfl) {}

Symbolizer::~Symbolizer() {
  loaded_.clear();
  if (owned_ != nullptr) dwfl_end(owned_);
}

Symbolizer::LoadedModule* Symbolizer::module_at(std::uint64_t address) {
  Dwfl_Module* module = dwfl_ == nullptr ? nullptr : dwfl_addrmodule(dwfl_, address);
  if (module == nullptr) return nullptr;
  std::unique_ptr<LoadedModule>& loaded = loaded_[module];
  if (loaded == nullptr) loaded = std::make_unique<LoadedModule>(module);
  return loaded.get();
}

DebugInfo* Symbolizer::debug_info_at(std::uint64_t address) {
  LoadedModule* module = module_at(address);
  return module == nullptr ? nullptr : &module->debug_info;
}

const report::Stack& Symbolizer::frames_at(std::uint64_t pc) {
  const auto [entry, is_new] = frames_.try_emplace(pc);
  if (is_new) entry->second = symbolize(pc);
  return entry->second;
}

report::Stack Symbolizer::stack_of(std::span<const std::uint64_t> return_addresses) {
  report::Stack stack;
  for (const std::uint64_t address : return_addresses) {
    const report::Stack& frames = frames_at(address - 1);
    stack.insert(stack.end(), frames.begin(), frames.end());
  }
  return stack;
}

report::Stack Symbolizer::symbolize(std::uint64_t pc) {
  report::Stack stack;
  LoadedModule* module = module_at(pc);
  if (module != nullptr) add_scopes(module, pc, &stack);
  if (stack.empty()) stack.emplace_back();
  if (module == nullptr) {
    std::uint64_t bias = 0;
    stack[0].module = unopened_module(pc, &bias);
    stack[0].address = pc - bias;
    return stack;
  }
  for (report::Frame& frame : stack) {
    frame.module = module->path;
    frame.address = pc - module->bias;
  }
  if (!stack[0].function.empty()) return stack;
  const Symbol* symbol = module->symbols.function_at(pc);
  if (symbol != nullptr) stack[0].function = function_name(symbol->linkage_name);
  return stack;
}

std::string Symbolizer::unopened_module(std::uint64_t address, std::uint64_t* bias) const {
  for (const Module& module : modules_) {
    if (address < module.begin || address >= module.end) continue;
    *bias = module.bias;
    return module.path;
  }
  return "";
}

void Symbolizer::add_scopes(LoadedModule* module, std::uint64_t pc, report::Stack* stack) {
  std::vector<Dwarf_Die> scopes = module->debug_info.scopes_at(pc);
  SourcePlace place = module->debug_info.line_at(pc);
  if (scopes.empty() && place.line != 0) {  // assembler with lines, without functions
    stack->push_back({"", place.file, place.line, place.column, "", 0, false});
  }
  for (std::size_t i = 0; i < scopes.size(); ++i) {
    const bool is_inlined = i + 1 < scopes.size();
    report::Frame frame;
    frame.function = name_of(module, pc, &scopes[i], is_inlined);
    frame.file = std::move(place.file);
    frame.line = place.line;
    frame.column = place.column;
    frame.inlined = is_inlined;
    stack->push_back(std::move(frame));
    if (is_inlined) place = DebugInfo::call_place(&scopes[i]);
  }
}

const std::string& Symbolizer::name_of(LoadedModule* module, std::uint64_t pc, Dwarf_Die* function,
                                       bool is_inlined) {
  const auto [entry, is_new] = names_.try_emplace(function->addr);
  std::string& name = entry->second;
  if (!is_new) return name;
  const char* linkage_name = linkage_name_of(function);
  if (linkage_name == nullptr && !is_inlined) {
    const Symbol* symbol = module->symbols.function_at(pc);
    if (symbol != nullptr) linkage_name = symbol->linkage_name;
  }
  if (linkage_name != nullptr) {
    name = function_name(linkage_name);
  } else {
    Dwarf_Die origin = origin_of(*function);
    name = scoped_name(&origin);
  }
  return name;
}

std::optional<report::Location> Symbolizer::global_at(std::uint64_t address) {
  LoadedModule* module = module_at(address);
  if (module == nullptr) return std::nullopt;
  report::Location location;
  location.kind = report::Location::Kind::kGlobal;
  const Symbol* symbol = module->symbols.object_at(address);
  const Variable* variable = module->debug_info.variable_at(address);
  if (symbol != nullptr) {
    location.object = symbol_name(symbol->linkage_name);
    location.address = symbol->begin;
    location.size = symbol->end - symbol->begin;
  } else if (variable != nullptr) {
    Dwarf_Die die = variable->die;
    location.object = scoped_name(&die);
    location.address = variable->begin;
    location.size = variable->end - variable->begin;
  } else {
    return std::nullopt;
  }
  if (variable == nullptr) return location;
  Dwarf_Die die = variable->die;
  const Member member = member_at(*type_of(&die), address - variable->begin);
  location.type = type_name(member.type);
  if (member.path.empty()) return location;
  Dwarf_Die member_type = member.type;
  Dwarf_Word size = 0;
  location.object += member.path;
  location.address = variable->begin + member.offset;
  location.size = dwarf_aggregate_size(&member_type, &size) == 0 ? size : 0;
  return location;
}

}  // namespace vigil::tools
