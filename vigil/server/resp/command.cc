// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/command.h"

#include <algorithm>

#include "vigil/server/resp/number.h"

namespace vigil::server {

std::uint32_t Command::all_categories() const {
  std::uint32_t all = categories | (has(kFast) ? Category::kFast : Category::kSlow);
  if (has(kReadOnly)) all |= Category::kRead;
  if (has(kWrite)) all |= Category::kWrite;
  if (has(kAdmin)) all |= Category::kAdmin | Category::kDangerous;
  if (has(kPubSub)) all |= Category::kPubSub;
  return all;
}

std::vector<std::string_view> Command::keys_of(std::span<const std::string_view> words) const {
  std::vector<std::string_view> found;
  if (keys.first == 0) return found;
  const auto count = static_cast<int>(words.size());
  const int last = keys.last < 0 ? count + keys.last : keys.last;
  for (int i = keys.first; i <= last && i < count; i += keys.step) {
    found.push_back(words[static_cast<std::size_t>(i)]);
  }
  return found;
}

const Command* Command::find_subcommand(std::string_view own_name) const {
  const std::size_t own_start = name.size() + 1;
  for (const Command& subcommand : subcommands) {
    if (equal_ignoring_case(subcommand.name.substr(own_start), own_name)) return &subcommand;
  }
  return nullptr;
}

}  // namespace vigil::server
