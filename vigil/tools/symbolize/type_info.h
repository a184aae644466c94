// SPDX-License-Identifier: Apache-2.0
//
// What DWARF says about types: their full names, and which member of an object an address is.
//
// Complexity: type_name() of a type inside a namespace or class scans its compilation unit once;
// ask for few, or keep the answers.
// Thread safety: none, as libdw's.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vigil::tools {

// The type of a variable, parameter, member, pointer or array element, without typedefs, const
// and volatile.
std::optional<Dwarf_Die> type_of(Dwarf_Die* die);

// "std::unordered_map<int, User>", "Cache*"; empty if the type has no name.
std::string type_name(Dwarf_Die type);

// The name of an entity with its namespaces and classes: "shop::Cache::get".
std::string scoped_name(Dwarf_Die* die);

// A part of an object.
struct Member {
  std::string path;  // ".table", ".shards[3].map"; empty for the object itself
  Dwarf_Die type;
  std::uint64_t offset = 0;  // from the start of the object
};

// Descends from an object of `type` towards `offset` through the program's own classes and through
// arrays, and stops at the first library type: inside a std::map nobody wants member names.
Member member_at(Dwarf_Die type, std::uint64_t offset);

// All members of `type`, at any depth of its own classes, that have the type called `wanted`.
std::vector<Member> members_of_type(Dwarf_Die type, const std::string& wanted);

}  // namespace vigil::tools
