// SPDX-License-Identifier: Apache-2.0
//
// CommandTable: finds a command by its name.
//
//   static const CommandTable table({string_commands(), key_commands()});
//   table.find("GET")->handler(call);
//
// Which commands there are is said above this module (vigil/server/resp/commands): sessions get the
// table from their server, so they know no family.
//
// Complexity: find is one multiplicative hash and mostly one comparison. Thread safety: constant.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "vigil/server/resp/command.h"

namespace vigil::server {

class CommandTable {
 public:
  // Copies the rows. REQUIRES: no name is given twice.
  explicit CommandTable(std::initializer_list<std::span<const Command>> families);

  // Case-insensitive; nullptr if there is none.
  [[nodiscard]] const Command* find(std::string_view name) const;
  // The same, also for a subcommand by its full name ("client|kill").
  [[nodiscard]] const Command* find_full(std::string_view name) const;
  // All commands, by name.
  [[nodiscard]] std::span<const Command* const> sorted() const { return sorted_; }
  // All commands and subcommands, by their numbers.
  [[nodiscard]] std::span<const Command> rows() const { return rows_; }

 private:
  static constexpr std::size_t kSlotBits = 9;
  static constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
  static constexpr std::size_t kNameMax = 32;

  static std::size_t slot(std::string_view name);
  void append(const Command& command);
  void insert(const Command& command);

  std::vector<Command> rows_;  // a command's subcommands come before it
  // Open addressing over the names; at most a third full.
  std::array<const Command*, kSlots> slots_{};
  std::vector<const Command*> sorted_;
};

}  // namespace vigil::server
