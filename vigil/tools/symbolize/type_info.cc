// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/symbolize/type_info.h"

#include <dwarf.h>

#include <cstdlib>
#include <memory>
#include <string_view>

#include "vigil/tools/symbolize/readable_name.h"

namespace vigil::tools {

namespace {

constexpr int kDepthMax = 32;  // of members inside members, and of types of types

bool is_class(int tag) {
  return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

bool is_library_type(std::string_view name) {
  for (const std::string_view library :
       {"std::", "absl::", "boost::", "folly::", "tbb::", "phmap::", "robin_hood::", "ankerl::",
        "google::", "vigil::"}) {
    if (name.starts_with(library)) return true;
  }
  return false;
}

std::optional<Dwarf_Die> referred(Dwarf_Die* die, unsigned attribute) {
  Dwarf_Attribute value;
  Dwarf_Die target;
  if (dwarf_attr_integrate(die, attribute, &value) == nullptr) return std::nullopt;
  if (dwarf_formref_die(&value, &target) == nullptr) return std::nullopt;
  return target;
}

bool names_a_scope(int tag) {
  return is_class(tag) || tag == DW_TAG_namespace || tag == DW_TAG_enumeration_type ||
         tag == DW_TAG_subprogram;
}

std::string own_name(Dwarf_Die* die) {
  const char* name = dwarf_diename(die);
  if (name != nullptr) return name;
  return dwarf_tag(die) == DW_TAG_namespace ? "(anonymous namespace)" : "";
}

// A data member or base class.
struct Field {
  Dwarf_Die die;
  std::uint64_t offset = 0;
};

// Calls visit(field, type of the field, size) until it returns true.
template <class Visitor>
void for_each_field(Dwarf_Die* type, Visitor visit) {
  Dwarf_Die child;
  if (dwarf_child(type, &child) != 0) return;
  do {
    const int tag = dwarf_tag(&child);
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
    Dwarf_Attribute place;
    Dwarf_Word begin = 0;
    if (dwarf_attr(&child, DW_AT_data_member_location, &place) == nullptr) {
      if (dwarf_tag(type) != DW_TAG_union_type) continue;  // a static member
    } else if (dwarf_formudata(&place, &begin) != 0) {
      continue;  // a virtual base
    }
    std::optional<Dwarf_Die> field_type = type_of(&child);
    Dwarf_Word size = 0;
    if (!field_type || dwarf_aggregate_size(&*field_type, &size) != 0) continue;
    if (visit(Field{child, begin}, *field_type, size)) return;
  } while (dwarf_siblingof(&child, &child) == 0);
}

std::optional<Field> field_at(Dwarf_Die* type, std::uint64_t offset) {
  std::optional<Field> found;
  for_each_field(type, [&](const Field& field, Dwarf_Die, Dwarf_Word size) {
    if (offset >= field.offset && offset - field.offset < size) found = field;
    return found.has_value();
  });
  return found;
}

// The C library's name for a part of a type that is meant to be used whole:
// pthread_mutex_t::__data.
bool is_inner(Field field) {
  const char* name = dwarf_diename(&field.die);
  return name != nullptr && std::string_view(name).starts_with("__");
}

// ".name"; nothing for a base class.
std::string step_to(Field field) {
  const char* name = dwarf_diename(&field.die);
  if (dwarf_tag(&field.die) != DW_TAG_member || name == nullptr) return "";
  return std::string(".").append(name);
}

// One step into an array or class; false where the way ends.
bool descend(Member* member, std::uint64_t offset) {
  const std::uint64_t rest = offset - member->offset;
  const int tag = dwarf_tag(&member->type);
  if (tag == DW_TAG_array_type) {
    std::optional<Dwarf_Die> element = type_of(&member->type);
    Dwarf_Word size = 0;
    if (!element || dwarf_aggregate_size(&*element, &size) != 0 || size == 0) return false;
    member->path += "[" + std::to_string(rest / size) + "]";
    member->offset += rest / size * size;
    member->type = *element;
    return true;
  }
  if (!is_class(tag) || is_library_type(type_name(member->type))) return false;
  std::optional<Field> field = field_at(&member->type, rest);
  if (!field || is_inner(*field)) return false;
  member->path += step_to(*field);
  member->offset += field->offset;
  member->type = *type_of(&field->die);
  return true;
}

void collect_members(const Member& object, const std::string& wanted, int depth,
                     std::vector<Member>* found) {
  const std::string name = type_name(object.type);
  if (name == wanted) found->push_back(object);
  Dwarf_Die type = object.type;
  if (depth > kDepthMax || !is_class(dwarf_tag(&type)) || is_library_type(name)) return;
  for_each_field(&type, [&](const Field& field, Dwarf_Die field_type, Dwarf_Word) {
    const Member part{object.path + step_to(field), field_type, object.offset + field.offset};
    collect_members(part, wanted, depth + 1, found);
    return false;
  });
}

// The scope's part of a name: compilers give the class of a lambda no name, or one in brackets.
std::string scope_name(Dwarf_Die* scope, std::string_view inner) {
  std::string name = own_name(scope);
  const bool unnamed = name.empty() || name.starts_with('<');
  return unnamed && inner.starts_with("operator()") ? "{lambda}" : name;
}

}  // namespace

std::optional<Dwarf_Die> type_of(Dwarf_Die* die) {
  std::optional<Dwarf_Die> type = referred(die, DW_AT_type);
  for (int i = 0; type && i < kDepthMax; ++i) {
    const int tag = dwarf_tag(&*type);
    if (tag != DW_TAG_typedef && tag != DW_TAG_const_type && tag != DW_TAG_volatile_type) break;
    type = referred(&*type, DW_AT_type);
  }
  return type;
}

std::string scoped_name(Dwarf_Die* die) {
  std::string name = own_name(die);
  // The parents of an out-of-class definition are those of its declaration.
  std::optional<Dwarf_Die> declaration = referred(die, DW_AT_specification);
  Dwarf_Die start = declaration ? *declaration : *die;
  if (name.empty() && !declaration) return name;
  Dwarf_Die* scopes = nullptr;
  const int count = dwarf_getscopes_die(&start, &scopes);
  const std::unique_ptr<Dwarf_Die, decltype(&std::free)> owner(scopes, &std::free);
  for (int i = 1; i < count; ++i) {
    if (!names_a_scope(dwarf_tag(&scopes[i]))) continue;
    name.insert(0, scope_name(&scopes[i], name).append("::"));
  }
  return tidy_name(name);
}

std::string type_name(Dwarf_Die type) {
  std::string suffix;
  for (int i = 0; i < kDepthMax; ++i) {
    const int tag = dwarf_tag(&type);
    if (tag == DW_TAG_pointer_type) {
      suffix.insert(0, "*");
    } else if (tag == DW_TAG_reference_type || tag == DW_TAG_rvalue_reference_type) {
      suffix.insert(0, "&");
    } else if (tag == DW_TAG_array_type) {
      suffix.insert(0, "[]");
    } else {
      const std::string name = scoped_name(&type);
      return name.empty() ? name : name + suffix;
    }
    std::optional<Dwarf_Die> target = type_of(&type);
    if (!target) return "void" + suffix;
    type = *target;
  }
  return "";
}

Member member_at(Dwarf_Die type, std::uint64_t offset) {
  Member member{"", type, 0};
  for (int i = 0; i < kDepthMax && descend(&member, offset); ++i) {
  }
  return member;
}

std::vector<Member> members_of_type(Dwarf_Die type, const std::string& wanted) {
  std::vector<Member> found;
  collect_members({"", type, 0}, wanted, 0, &found);
  return found;
}

}  // namespace vigil::tools
