// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/finding_table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "vigil/tools/layers/layers.h"

namespace vigil::tools::race {

bool is_library(const report::Frame& frame) {
  static constexpr std::array<std::string_view, 3> kFolders = {"/usr/include/", "/usr/lib/",
                                                               "/lib/"};
  const std::string& where = frame.file.empty() ? frame.module : frame.file;
  return std::any_of(kFolders.begin(), kFolders.end(),
                     [&](std::string_view folder) { return where.starts_with(folder); }) ||
         layers::Rules::defaults().is_library(frame);
}

const report::Frame* place_of(const report::Stack& stack) {
  if (stack.empty()) return nullptr;
  const auto own = std::find_if_not(stack.begin(), stack.end(), is_library);
  return own == stack.end() ? &stack.front() : &*own;
}

std::string place_name(const report::Stack& stack) {
  const report::Frame* const place = place_of(stack);
  if (place == nullptr) return "";
  std::string name = place->function.empty() ? place->module : place->function;
  if (!place->file.empty()) name += " " + place->file;
  // Without a line the address tells two places in one function apart.
  return name + ":" +
         std::to_string(place->line != 0 ? static_cast<std::uint64_t>(place->line)
                                         : place->address);
}

std::string finding_key(const report::Finding& finding) {
  std::vector<std::string> places;
  for (const report::Access& access : finding.accesses) places.push_back(place_name(access.stack));
  if (finding.accesses.empty()) {
    for (const report::Thread& thread : finding.threads) places.push_back(place_name(thread.stack));
  }
  std::sort(places.begin(), places.end());
  // Many threads may wait in the same place.
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::string key(to_string(finding.kind));
  for (const std::string& place : places) key += "|" + place;
  // Of a finding without places the message is all there is.
  return places.empty() ? key + "|" + finding.message : key;
}

bool FindingTable::add(report::Finding finding) {
  const auto [entry, is_new] = index_of_.emplace(finding_key(finding), findings_.size());
  if (is_new) {
    findings_.push_back(std::move(finding));
  } else {
    ++findings_[entry->second].occurrences;
  }
  return is_new;
}

}  // namespace vigil::tools::race
