// SPDX-License-Identifier: Apache-2.0
//
// Names as a person would write them, from mangled or demangled C++ names.
//
//   _ZN5Cache3getERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE  ->  Cache::get
//   std::map<int, User, std::less<int>, std::allocator<std::pair<int const, User> > >
//                                                                         ->  std::map<int, User>
//
// Left out: template arguments that equal their defaults, all but the first argument of a standard
// library's internal template (`std::_Hashtable<int, ...>`), inline namespaces, the parameters,
// return type and clone suffix of a function.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace vigil::tools {

// `linkage_name` may also be a plain C name, which stays as it is.
std::string function_name(const char* linkage_name);

// Of a variable or another symbol that is not a function: keeps what function_name() strips.
std::string symbol_name(const char* linkage_name);

// Of a type or any other demangled name.
std::string tidy_name(std::string_view demangled);

}  // namespace vigil::tools
