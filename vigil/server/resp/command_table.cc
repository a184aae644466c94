// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/command_table.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "vigil/base/check.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

CommandTable::CommandTable(std::initializer_list<std::span<const Command>> families) {
  std::size_t count = 0;
  for (const std::span<const Command> family : families) {
    for (const Command& command : family) count += 1 + command.subcommands.size();
  }
  rows_.reserve(count);  // the rows are pointed to
  for (const std::span<const Command> family : families) {
    for (const Command& command : family) append(command);
  }
  std::sort(sorted_.begin(), sorted_.end(),
            [](const Command* a, const Command* b) { return a->name < b->name; });
}

const Command* CommandTable::find(std::string_view name) const {
  if (name.empty() || name.size() > kNameMax) return nullptr;
  for (std::size_t i = slot(name);; i = (i + 1) % kSlots) {
    if (slots_[i] == nullptr) return nullptr;
    if (equal_ignoring_case(slots_[i]->name, name)) return slots_[i];
  }
}

const Command* CommandTable::find_full(std::string_view name) const {
  const std::size_t bar = name.find('|');
  const Command* const command = find(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return command->find_subcommand(name.substr(bar + 1));
}

// Hashes the first and the last eight bytes in lower case (0x20 also changes other bytes; the
// comparison decides).
std::size_t CommandTable::slot(std::string_view name) {
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
  return (mixed ^ mixed >> 29) * 0x94D049BB133111EBULL >> (64 - kSlotBits);
}

// With its subcommands, which are counted to its family.
void CommandTable::append(const Command& command) {
  const std::size_t first = rows_.size();
  const auto add = [this](const Command& row, CommandFamily family) {
    rows_.push_back(row);
    rows_.back().family = family;
    rows_.back().number = static_cast<std::uint16_t>(rows_.size() - 1);
  };
  for (const Command& subcommand : command.subcommands) add(subcommand, command.family);
  add(command, command.family);
  rows_.back().subcommands = std::span(rows_).subspan(first, command.subcommands.size());
  insert(rows_.back());
}

void CommandTable::insert(const Command& command) {
  VIGIL_CHECK(command.name.size() <= kNameMax, "a command's name is too long");
  VIGIL_CHECK(find(command.name) == nullptr, "a command's name is given twice");
  std::size_t i = slot(command.name);
  while (slots_[i] != nullptr) i = (i + 1) % kSlots;
  slots_[i] = &command;
  sorted_.push_back(&command);
  VIGIL_CHECK(sorted_.size() * 3 < kSlots, "too many commands for the table");
}

}  // namespace vigil::server
