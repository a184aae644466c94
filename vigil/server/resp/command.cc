// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/command.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

// Open addressing over the names; at most a third full.
class CommandTable {
 public:
  CommandTable() {
    for (const auto family : {connection_commands(), server_commands(), string_commands(),
                              set_commands(), number_commands(), key_commands(), expiry_commands(),
                              pubsub_commands(), order_commands()}) {
      for (const Command& command : family) insert(command);
    }
    std::sort(sorted_.begin(), sorted_.end(),
              [](const Command* a, const Command* b) { return a->name < b->name; });
  }

  [[nodiscard]] const Command* find(std::string_view name) const {
    if (name.empty() || name.size() > kNameMax) return nullptr;
    for (std::size_t i = slot(name);; i = (i + 1) % kSlots) {
      if (slots_[i] == nullptr) return nullptr;
      if (equal_ignoring_case(slots_[i]->name, name)) return slots_[i];
    }
  }
  [[nodiscard]] std::span<const Command* const> sorted() const { return sorted_; }

 private:
  static constexpr std::size_t kSlots = 512;
  static constexpr std::size_t kNameMax = 32;

  // Hashes the first and the last eight bytes in lower case (0x20 also changes other bytes; the
  // comparison decides).
  static std::size_t slot(std::string_view name) {
    constexpr std::uint64_t kLower = 0x2020202020202020ULL;
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    if (name.size() >= 8) {
      std::memcpy(&head, name.data(), 8);
      std::memcpy(&tail, name.data() + name.size() - 8, 8);
    } else {
      for (const char c : name) head = head << 8 | static_cast<unsigned char>(c);
    }
    const std::uint64_t mixed =
        ((head | kLower) * 0x9E3779B97F4A7C15ULL) ^ ((tail | kLower) * 0xC2B2AE3D27D4EB4FULL);
    return (mixed ^ mixed >> 29) * 0x94D049BB133111EBULL >> 55;
  }

  void insert(const Command& command) {
    VIGIL_CHECK(command.name.size() <= kNameMax, "a command's name is too long");
    std::size_t i = slot(command.name);
    while (slots_[i] != nullptr) i = (i + 1) % kSlots;
    slots_[i] = &command;
    sorted_.push_back(&command);
    VIGIL_CHECK(sorted_.size() * 3 < kSlots, "too many commands for the table");
  }

  std::array<const Command*, kSlots> slots_{};
  std::vector<const Command*> sorted_;
};

const CommandTable& table() {
  static const CommandTable commands;
  return commands;
}

}  // namespace

const Command* find_command(std::string_view name) { return table().find(name); }

std::span<const Command* const> all_commands() { return table().sorted(); }

bool Call::is(std::size_t index, std::string_view option) const {
  return equal_ignoring_case(args[index], option);
}

std::optional<std::int64_t> Call::integer(std::size_t index) {
  const auto value = parse_integer(args[index]);
  if (!value) reply.error("ERR value is not an integer or out of range");
  return value;
}

void Call::arity_error(std::string_view command_name) {
  reply.error("ERR wrong number of arguments for '" + std::string(command_name) + "' command");
}

void dispatch(Call& call, std::span<const Subcommand> subcommands) {
  for (const Subcommand& subcommand : subcommands) {
    if (!call.is(1, subcommand.name)) continue;
    const auto count = static_cast<int>(call.args.size());
    if (subcommand.arity >= 0 ? count != subcommand.arity : count < -subcommand.arity) {
      return call.arity_error(std::string(call.command.name) + "|" + std::string(subcommand.name));
    }
    return subcommand.handler(call);
  }
  std::string upper(call.args[0]);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  call.reply.error("ERR unknown subcommand '" + std::string(call.args[1].substr(0, 128)) +
                   "'. Try " + upper + " HELP.");
}

}  // namespace vigil::server
