// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/map_operation.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "vigil/tools/layers/plain_name.h"

namespace vigil::tools::evidence {

namespace {

using report::Operation;

struct NameRule {
  std::string_view pattern;
  Operation operation;
};

constexpr NameRule kGoFunctions[] = {
    {"runtime.mapaccess*", Operation::kMapRead},
    {"runtime.mapassign*", Operation::kMapWrite},
    {"runtime.mapdelete*", Operation::kMapErase},
    {"runtime.mapclear*", Operation::kMapErase},
    {"runtime.mapiter*", Operation::kMapIterate},
    {"runtime.mapclone*", Operation::kMapIterate},
    {"reflect.mapaccess*", Operation::kMapRead},
    {"reflect.mapassign*", Operation::kMapWrite},
    {"reflect.mapdelete*", Operation::kMapErase},
    {"reflect.mapclear*", Operation::kMapErase},
    {"reflect.mapiter*", Operation::kMapIterate},
    {"internal/runtime/maps.(?Iter).*", Operation::kMapIterate},
    {"internal/runtime/maps.*mapaccess*", Operation::kMapRead},
    {"internal/runtime/maps.*mapassign*", Operation::kMapWrite},
    {"internal/runtime/maps.*mapdelete*", Operation::kMapErase},
    {"internal/runtime/maps.(?Map).put*", Operation::kMapWrite},
    {"internal/runtime/maps.(?Map).grow*", Operation::kMapWrite},
    {"internal/runtime/maps.(?table).put*", Operation::kMapWrite},
    {"internal/runtime/maps.(?table).rehash", Operation::kMapWrite},
    {"internal/runtime/maps.(?table).grow", Operation::kMapWrite},
    {"internal/runtime/maps.(?table).split", Operation::kMapWrite},
    {"internal/runtime/maps.(?Map).delete", Operation::kMapErase},
    {"internal/runtime/maps.(?table).delete", Operation::kMapErase},
    {"internal/runtime/maps.(?Map).clear*", Operation::kMapErase},
    {"internal/runtime/maps.(?table).clear*", Operation::kMapErase},
    {"internal/runtime/maps.(?Map).get*", Operation::kMapRead},
    {"internal/runtime/maps.(?table).get*", Operation::kMapRead},
};

// Classes whose methods are operations on a map; the name up to the last "::".
constexpr std::string_view kContainers[] = {
    "std::unordered_map",
    "std::unordered_multimap",
    "std::unordered_set",
    "std::unordered_multiset",
    "std::map",
    "std::multimap",
    "std::set",
    "std::multiset",
    "std::__detail::_map_base",
    "std::__detail::_insert*",
    "std::__detail::_*iterator*",
    "std::_hashtable*",
    "std::_rb_tree*",
    "std::__1::*map*",
    "std::__1::*set*",
    "std::__1::__hash_*",
    "std::__1::__tree*",
    "std::__cxx1998::*map",
    "std::__debug::*map",
    "absl::*hash_map*",
    "absl::*hash_set*",
    "absl::btree_map*",
    "absl::*container_internal::*",
    "boost::unordered*",
    "boost::container::*map*",
    "boost::concurrent_*",
    "folly::*map*",
    "tbb::*concurrent_*map*",
    "phmap::*",
    "gtl::*",
    "robin_hood::*",
    "ankerl::*",
    "tsl::*",
    "vigil::maps::*map*",
};

constexpr NameRule kMethods[] = {
    {"operator[]", Operation::kMapWrite},
    {"operator=", Operation::kMapWrite},
    {"insert*", Operation::kMapWrite},
    {"_m_insert*", Operation::kMapWrite},
    {"emplace*", Operation::kMapWrite},
    {"_m_emplace*", Operation::kMapWrite},
    {"try_emplace*", Operation::kMapWrite},
    {"lazy_emplace*", Operation::kMapWrite},
    {"assign*", Operation::kMapWrite},
    {"upsert*", Operation::kMapWrite},
    {"put*", Operation::kMapWrite},
    {"swap", Operation::kMapWrite},
    {"merge", Operation::kMapWrite},
    {"*rehash*", Operation::kMapWrite},
    {"reserve", Operation::kMapWrite},
    {"erase*", Operation::kMapErase},
    {"_m_erase*", Operation::kMapErase},
    {"extract*", Operation::kMapErase},
    {"clear", Operation::kMapErase},
    {"~*", Operation::kMapErase},
    {"begin", Operation::kMapIterate},
    {"cbegin", Operation::kMapIterate},
    {"operator++", Operation::kMapIterate},
    {"_m_incr", Operation::kMapIterate},
    {"for_each*", Operation::kMapIterate},
    {"operator!=", Operation::kMapIterate},
    {"operator->", Operation::kMapRead},
    {"find*", Operation::kMapRead},
    {"_m_find*", Operation::kMapRead},
    {"get*", Operation::kMapRead},
    {"at", Operation::kMapRead},
    {"count", Operation::kMapRead},
    {"contains", Operation::kMapRead},
    {"lower_bound", Operation::kMapRead},
    {"upper_bound", Operation::kMapRead},
    {"equal_range", Operation::kMapRead},
    {"end", Operation::kMapRead},
    {"size", Operation::kMapRead},
    {"empty", Operation::kMapRead},
    {"visit*", Operation::kMapRead},
};

// Frames of libraries that containers call: allocators, comparisons, smart pointers, detectors.
constexpr std::string_view kBelow[] = {"std::*",
                                       "__gnu_cxx::*",
                                       "operator new*",
                                       "operator delete*",
                                       "malloc",
                                       "free",
                                       "mem*",
                                       "str*",
                                       "__*",
                                       "___*",
                                       "runtime.*",
                                       "internal/*",
                                       "reflect.*",
                                       "runtime/*",
                                       "absl::*",
                                       "boost::*",
                                       "folly::*",
                                       "tbb::*",
                                       "phmap::*",
                                       "gtl::*",
                                       "robin_hood::*",
                                       "ankerl::*",
                                       "tsl::*",
                                       "vigil::maps::*",
                                       "vigil::race::*",
                                       "vigil::thread_*"};

Operation first_match(std::span<const NameRule> rules, std::string_view name) {
  for (const NameRule& rule : rules) {
    if (layers::name_matches(rule.pattern, name)) return rule.operation;
  }
  return Operation::kUnknown;
}

bool matches_any(std::span<const std::string_view> patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](std::string_view pattern) { return layers::name_matches(pattern, name); });
}

// The class of a method, empty for other names.
std::string_view class_of(std::string_view plain) {
  const std::size_t last = plain.rfind("::");
  return last == std::string_view::npos ? std::string_view() : plain.substr(0, last);
}

Operation operation_of_plain(std::string_view plain) {
  const Operation go = first_match(kGoFunctions, plain);
  if (go != Operation::kUnknown) return go;
  const std::string_view owner = class_of(plain);
  if (owner.empty() || !matches_any(kContainers, owner)) return Operation::kUnknown;
  return first_match(kMethods, plain.substr(owner.size() + 2));
}

struct MapFrame {
  Operation operation = Operation::kUnknown;
  std::string name;              // plain
  std::size_t frames_below = 0;  // how many frames are further in
};

bool is_function_object(std::string_view plain) { return plain.ends_with("::operator()"); }

// The frame nearest to the application that is an operation on a map.
MapFrame find_map_frame(const report::Stack& stack) {
  MapFrame found;
  for (std::size_t i = 0; i < stack.size(); ++i) {
    std::string plain = layers::plain_name(stack[i].function);
    const Operation here = operation_of_plain(plain);
    if (here != Operation::kUnknown) {
      found = {here, std::move(plain), i};
      continue;
    }
    const bool is_called_by_map = found.name.empty() && is_function_object(plain);
    if (!is_called_by_map && !matches_any(kBelow, plain)) break;
  }
  return found;
}

}  // namespace

Operation map_operation_of(std::string_view function) {
  return operation_of_plain(layers::plain_name(function));
}

Operation map_operation(const report::Stack& stack) { return find_map_frame(stack).operation; }

std::size_t frames_of_map_operation(const report::Stack& stack) {
  const MapFrame found = find_map_frame(stack);
  return found.operation == Operation::kUnknown ? 0 : found.frames_below + 1;
}

std::string container_of(const report::Stack& stack) {
  const std::string frame = find_map_frame(stack).name;
  if (frame.empty()) return {};
  const std::string_view owner = class_of(frame);
  if (owner.empty()) return "Go map";
  const bool is_internal = owner.find("::_") != std::string_view::npos;
  return is_internal ? std::string("standard container") : std::string(owner);
}

Operation refine(Operation of_memory, const report::Stack& stack) {
  const Operation of_map = map_operation(stack);
  return of_map == Operation::kUnknown ? of_memory : of_map;
}

}  // namespace vigil::tools::evidence
