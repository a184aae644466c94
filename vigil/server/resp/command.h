// SPDX-License-Identifier: Apache-2.0
//
// Command: one row of the command table.
//
//   Command{.name = "incr",
//           .arity = 2,
//           .flags = Command::kWrite | Command::kDenyOom | Command::kFast,
//           .categories = Category::kString,
//           .keys = {1, 1, 1},
//           .family = CommandFamily::kWrite,
//           .handler = incr,
//           .summary = "Adds one to an integer value"}
//
// What its handler works with: call.h. Thread safety: constant.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "vigil/server/reactor/counters.h"
#include "vigil/server/resp/category.h"

namespace vigil::server {

struct Call;

using Handler = void (*)(Call&);

// Which arguments are keys: every step-th from first to last, counted from the name at 0; a
// negative last is counted from the end. first == 0: none.
struct KeyPositions {
  int first = 0;
  int last = 0;
  int step = 0;
};

struct Command {
  // Flags, named in COMMAND INFO as Redis names them.
  enum Flag : std::uint32_t {
    kWrite = 1U << 0,
    kReadOnly = 1U << 1,
    kDenyOom = 1U << 2,
    kAdmin = 1U << 3,
    kPubSub = 1U << 4,
    kFast = 1U << 5,
    kNoAuth = 1U << 6,        // allowed before authentication
    kInSubscriber = 1U << 7,  // allowed to a RESP2 client that has subscriptions
    kLoading = 1U << 8,       // allowed while the data is read from disk
    kPushes = 1U << 9,        // answers by pushes, which are no replies: CLIENT REPLY leaves them
  };
  std::string_view name;  // lower case; must have a static lifetime and a terminator
  int arity = 0;          // including the name; negative: at least
  std::uint32_t flags = 0;
  std::uint32_t categories = 0;  // Category bits, beside those that follow from the flags
  KeyPositions keys{};
  CommandFamily family = CommandFamily::kUnknown;
  Handler handler = nullptr;
  // What is done to the keys, in Redis's words: "RW access update"; with a bar between them if the
  // keys differ.
  std::string_view access{};
  std::string_view since{};  // the version of Redis; empty: Redis has no such command
  std::string_view complexity{};
  std::string_view summary{};
  // Of a command such as CLIENT. Their names are full ("client|kill"), their arity counts both.
  std::span<const Command> subcommands{};
  std::uint16_t number = 0;  // in its table, which sets it: counts subcommands too

  [[nodiscard]] bool has(Flag flag) const { return (flags & flag) != 0; }
  [[nodiscard]] bool accepts(std::size_t arguments) const {
    return arity >= 0 ? arguments == static_cast<std::size_t>(arity)
                      : arguments >= static_cast<std::size_t>(-arity);
  }
  // The keys among the words of a request, of which the first is the name.
  [[nodiscard]] std::vector<std::string_view> keys_of(
      std::span<const std::string_view> words) const;
  // `categories` and what Redis derives from the flags.
  [[nodiscard]] std::uint32_t all_categories() const;
  // By its name behind the bar, case-insensitive; nullptr if there is none.
  [[nodiscard]] const Command* find_subcommand(std::string_view own_name) const;
};

}  // namespace vigil::server
