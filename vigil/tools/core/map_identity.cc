// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/map_identity.h"

#include <dwarf.h>

#include <string_view>

#include "vigil/tools/evidence/map_operation.h"
#include "vigil/tools/symbolize/type_info.h"

namespace vigil::tools {

namespace {

constexpr int kDepthMax = 64;  // of blocks inside blocks

// An object that a method works on.
struct Receiver {
  std::uint64_t address = 0;
  Dwarf_Die type;
};

// The parameter or variable of a function called `name`, in the function or in its blocks at `pc`.
bool find_variable(Dwarf_Die* scope, std::string_view name, Dwarf_Addr pc, int depth,
                   Dwarf_Die* found) {
  Dwarf_Die child;
  if (depth > kDepthMax || dwarf_child(scope, &child) != 0) return false;
  do {
    const int tag = dwarf_tag(&child);
    if (tag == DW_TAG_formal_parameter || tag == DW_TAG_variable) {
      const char* own = dwarf_diename(&child);
      if (own == nullptr || !std::string_view(own).starts_with(name)) continue;
      *found = child;
      return true;
    }
    if (tag == DW_TAG_lexical_block && dwarf_haspc(&child, pc) > 0 &&
        find_variable(&child, name, pc, depth + 1, found)) {
      return true;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

class MapFinder {
 public:
  MapFinder(Symbolizer* symbolizer, const UnwoundStack& stack, const NamedStack& named,
            const MemoryReader& memory)
      : symbolizer_(*symbolizer),
        stack_(stack),
        named_(named),
        memory_(memory),
        values_(symbolizer, &stack, &memory) {}

  std::optional<MapUse> find() {
    const std::optional<std::size_t> first = innermost_container_frame();
    if (!first) return std::nullopt;
    const report::Stack from_there(named_.frames.begin() + static_cast<std::ptrdiff_t>(*first),
                                   named_.frames.end());
    const std::size_t count = evidence::frames_of_map_operation(from_there);
    if (count == 0) return std::nullopt;
    const std::size_t frame = *first + count - 1;  // the one that the program called
    MapUse use;
    use.operation = evidence::map_operation(from_there);
    use.frame = *first;
    use.location.type = owner_of(named_.frames[frame].function);
    for (std::size_t i = frame + 1; i-- > *first && use.location.address == 0;) {
      const std::optional<Receiver> receiver = map_at(i);
      if (receiver) use.location.address = receiver->address;
    }
    if (use.location.address == 0) use.location.address = ranged_over(frame + 1);
    if (use.location.address == 0) {
      use.location.address = conclude(frame + 1, use.location.type);
      use.is_concluded = use.location.address != 0;
    }
    if (use.location.address != 0) name(frame + 1, &use.location);
    return use;
  }

 private:
  // A thread is inside the map also while the map calls the program: a hash, a comparison.
  [[nodiscard]] std::optional<std::size_t> innermost_container_frame() const {
    for (std::size_t i = 0; i < named_.frames.size(); ++i) {
      if (is_container_method(named_.frames[i].function)) return i;
    }
    return std::nullopt;
  }

  // "std::map<int, User>::find" -> "std::map<int, User>"
  static std::string owner_of(const std::string& function) {
    int depth = 0;
    for (std::size_t i = function.size(); i-- > 1;) {
      if (function[i] == '>' || function[i] == ')' || function[i] == '}') ++depth;
      if (function[i] == '<' || function[i] == '(' || function[i] == '{') --depth;
      if (depth == 0 && function[i] == ':' && function[i - 1] == ':') {
        return function.substr(0, i - 1);
      }
    }
    return "";
  }

  // Iterators and nodes have a `this` as well, but theirs is not the map's.
  static bool is_container_method(const std::string& function) {
    const std::string owner = owner_of(function);
    for (const std::string_view other :
         {"iterator", "_Hash_node", "_Rb_tree_node", "_Hash_code", "_Hashtable_ebo", "_Alloc_node",
          "_Scoped_node", "_Reuse_or_alloc", "_Auto_node", "node_handle"}) {
      if (owner.find(other) != std::string::npos) return false;
    }
    return evidence::map_operation_of(function) != report::Operation::kUnknown;
  }

  std::optional<std::uint64_t> pointer(std::size_t frame, std::string_view name, Dwarf_Die* found) {
    const NamedStack::Place& place = named_.places[frame];
    const std::uint64_t pc = stack_.frames[place.unwound].call_pc;
    DebugInfo* info = symbolizer_.debug_info_at(pc);
    if (info == nullptr) return std::nullopt;
    std::vector<Dwarf_Die> scopes = info->scopes_at(pc);
    if (place.inlined >= scopes.size() ||
        !find_variable(&scopes[place.inlined], name, pc - info->bias(), 0, found)) {
      return std::nullopt;
    }
    return values_.value_of(*found, place.unwound);
  }

  std::optional<Receiver> receiver_of(std::size_t frame) {
    Dwarf_Die variable;
    const std::optional<std::uint64_t> address = pointer(frame, "this", &variable);
    if (!address || *address == 0) return std::nullopt;
    std::optional<Dwarf_Die> type = type_of(&variable);
    if (type) type = type_of(&*type);  // of the pointer, then of the object
    if (!type) return std::nullopt;
    return Receiver{*address, *type};
  }

  std::optional<Receiver> map_at(std::size_t frame) {
    if (!is_container_method(named_.frames[frame].function)) return std::nullopt;
    return receiver_of(frame);
  }

  // The map of `for (auto& entry : map)`, by the variable that the compiler makes for it.
  std::uint64_t ranged_over(std::size_t frame) {
    if (frame >= named_.frames.size()) return 0;
    for (const std::string_view name : {"__for_range", "__range"}) {
      Dwarf_Die variable;
      const std::optional<std::uint64_t> address = pointer(frame, name, &variable);
      if (address) return *address;
    }
    return 0;
  }

  std::uint64_t conclude(std::size_t frame, const std::string& type) {
    if (frame >= named_.frames.size()) return 0;
    const std::optional<Receiver> caller = receiver_of(frame);
    if (caller) {
      const std::vector<Member> members = members_of_type(caller->type, type);
      if (members.size() == 1) return caller->address + members.front().offset;
    }
    return only_global_in_code(named_.places[frame].unwound, type);
  }

  // x86-64 code names a global by its distance from the next instruction, which begins at most four
  // bytes after the distance, or by a 32-bit address.
  std::uint64_t only_global_in_code(std::size_t unwound, const std::string& type) {
    std::uint64_t only = 0;
    for (const std::uint64_t place : code_around(unwound)) {
      const std::optional<std::uint64_t> word = memory_(place);
      if (!word) continue;
      const auto distance = static_cast<std::int32_t>(*word & 0xffffffff);
      const std::uint64_t next = place + 4 + static_cast<std::uint64_t>(std::int64_t{distance});
      for (const std::uint64_t target : {next, next + 1, next + 2, next + 4, *word & 0xffffffff}) {
        const std::optional<report::Location> global = global_of_type(target, type);
        if (!global) continue;
        if (only != 0 && only != global->address) return 0;
        only = global->address;
      }
    }
    return only;
  }

  std::optional<report::Location> global_of_type(std::uint64_t address, const std::string& type) {
    DebugInfo* info = symbolizer_.debug_info_at(address);
    if (info == nullptr || info->variable_at(address) == nullptr) return std::nullopt;
    std::optional<report::Location> global = symbolizer_.global_at(address);
    if (!global || global->type != type) return std::nullopt;
    return global;
  }

  // Every address of the code of the function at a frame.
  std::vector<std::uint64_t> code_around(std::size_t unwound) {
    constexpr std::uint64_t kCodeBytesMax = 64 << 10;
    std::vector<std::uint64_t> places;
    const std::uint64_t pc = stack_.frames[unwound].call_pc;
    DebugInfo* info = symbolizer_.debug_info_at(pc);
    if (info == nullptr) return places;
    std::vector<Dwarf_Die> scopes = info->scopes_at(pc);
    Dwarf_Addr base = 0;
    Dwarf_Addr begin = 0;
    Dwarf_Addr end = 0;
    std::ptrdiff_t offset = 0;
    while (!scopes.empty() &&
           (offset = dwarf_ranges(&scopes.back(), offset, &base, &begin, &end)) > 0) {
      for (Dwarf_Addr at = begin; at < end && places.size() < kCodeBytesMax; ++at) {
        places.push_back(at + info->bias());
      }
    }
    return places;
  }

  void name(std::size_t first_outer_frame, report::Location* location) {
    const std::string type = location->type;
    std::optional<report::Location> global = symbolizer_.global_at(location->address);
    if (global) {
      // Inside a map the address of its parts is still that map's.
      *location = *global;
      if (location->type.empty()) location->type = type;
      return;
    }
    location->kind = stack_.holds(location->address) ? report::Location::Kind::kStack
                                                     : report::Location::Kind::kHeap;
    if (location->kind == report::Location::Kind::kStack) location->thread = stack_.thread;
    for (std::size_t i = first_outer_frame; i < named_.frames.size(); ++i) {
      std::optional<Receiver> object = receiver_of(i);
      Dwarf_Word size = 0;
      if (!object || dwarf_aggregate_size(&object->type, &size) != 0) continue;
      const std::uint64_t offset = location->address - object->address;
      if (location->address < object->address || offset >= size) continue;
      const Member member = member_at(object->type, offset);
      if (member.offset != offset) continue;
      location->object = type_name(object->type) + member.path;
      const std::string member_type = type_name(member.type);
      if (!member_type.empty()) location->type = member_type;
      return;
    }
  }

  Symbolizer& symbolizer_;
  const UnwoundStack& stack_;
  const NamedStack& named_;
  const MemoryReader& memory_;
  FrameValues values_;
};

}  // namespace

NamedStack name_stack(Symbolizer* symbolizer, const UnwoundStack& stack) {
  NamedStack named;
  for (std::size_t i = 0; i < stack.frames.size(); ++i) {
    const std::uint64_t pc = stack.frames[i].call_pc;
    const report::Stack& frames = symbolizer->frames_at(pc);
    named.frames.insert(named.frames.end(), frames.begin(), frames.end());
    for (std::size_t k = 0; k < frames.size(); ++k) named.places.push_back({i, k});
  }
  return named;
}

std::optional<MapUse> map_use_of(Symbolizer* symbolizer, const UnwoundStack& stack,
                                 const NamedStack& named, const MemoryReader& memory) {
  return MapFinder(symbolizer, stack, named, memory).find();
}

bool is_concurrent_map(const std::string& type) {
  for (const std::string_view word : {"concurrent", "Concurrent", "AtomicHash", "vigil::"}) {
    if (type.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace vigil::tools
