// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/command.h"

#include <algorithm>
#include <array>
#include <cctype>

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

void Call::arity_error() {
  reply.error("ERR wrong number of arguments for '" + std::string(command.name) + "' command");
}

void Call::busy() {
  ++reactor.tally.busy;
  reply.error(kBusy);
}

void run_subcommand(Call& call) {
  constexpr std::size_t kShownMax = 128;
  const std::string_view name = call.args.front();
  const Command* const subcommand = call.command.find_subcommand(name);
  if (subcommand == nullptr) {
    std::string upper(call.command.name);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return call.reply.error("ERR unknown subcommand '" + std::string(name.substr(0, kShownMax)) +
                            "'. Try " + upper + " HELP.");
  }
  Call inner{call.session, call.reactor, *subcommand, call.args.subspan(1),
             call.key,     call.now_ms,  call.reply};
  if (!subcommand->accepts(call.args.size() + 1)) return inner.arity_error();
  subcommand->handler(inner);
}

}  // namespace vigil::server
