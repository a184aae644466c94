// SPDX-License-Identifier: Apache-2.0
//
// The name of a function without what differs between compilers and tools: return type, template
// arguments, parameters, qualifiers and the suffixes of clones.
//
//   "void Cache<int>::put(int, int) [clone .isra.0]"  ->  "Cache::put"
//   "main::{lambda(int)#1}::operator()(int) const"    ->  "main::{lambda#1}::operator()"
//   "example.com/svc/cache.(*Users[...]).Put"         ->  "example.com/svc/cache.(*Users).Put"
//
// Any text is accepted; nonsense gives nonsense, in linear time.
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace vigil::tools::layers {

std::string plain_name(std::string_view function);

// The last part, for sentences: "Cache::put" of "svc::store::Cache::put", "(*Users).Put" of
// "example.com/svc/cache.(*Users).Put".
std::string short_name(std::string_view function);

// Whether the name of a function, a file or a module matches a pattern of the rules (wildcard.h),
// letters in either case.
bool name_matches(std::string_view pattern, std::string_view name);

}  // namespace vigil::tools::layers
