// SPDX-License-Identifier: Apache-2.0
//
// Command: one row of the command table, and Call: what its handler works with.
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
// A handler reads all its arguments (arguments.h), checks them once, acts, and writes exactly one
// reply (none or many for the subscribe family). Errors are replies; handlers do not throw.
//
// Thread safety: a Command is constant; a Call belongs to one reactor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/cache/cache.h"
#include "vigil/server/reactor/counters.h"
#include "vigil/server/resp/arguments.h"
#include "vigil/server/resp/category.h"
#include "vigil/server/resp/reactor_state.h"
#include "vigil/server/resp/reply_errors.h"
#include "vigil/server/resp/writer.h"

namespace vigil::server {

class RespSession;
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
  };
  std::string_view name;  // lower case; must have a static lifetime and a terminator
  int arity = 0;          // including the name; negative: at least
  std::uint32_t flags = 0;
  std::uint32_t categories = 0;  // Category bits, beside those that follow from the flags
  KeyPositions keys{};
  CommandFamily family = CommandFamily::kUnknown;
  Handler handler = nullptr;
  std::string_view summary{};
  // Of a command such as CLIENT. Their names are full ("client|kill"), their arity counts both.
  std::span<const Command> subcommands{};

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

// One request being executed.
struct Call {
  RespSession& session;
  RespReactor& reactor;
  const Command& command;
  std::span<const std::string_view> args;  // behind the name, or behind both names
  const cache::Key& key;                   // the first key, if the command has keys
  std::int64_t now_ms;
  RespWriter reply;

  [[nodiscard]] cache::Cache& cache() const { return reactor.context.server.cache; }
  [[nodiscard]] orders::Orders& orders() const { return reactor.context.server.orders; }
  [[nodiscard]] RespShared& shared() const { return reactor.shared; }
  [[nodiscard]] KeyspaceEvents& events() const { return reactor.shared.events; }

  // The arguments behind the first one, of a command that begins with its key.
  [[nodiscard]] Arguments after_key() const { return Arguments(args.subspan(1)); }

  void hit() const { ++reactor.tally.hits; }
  void miss() const { ++reactor.tally.misses; }

  void syntax_error() { reply.error(kSyntaxError); }
  void wrong_type() { reply.error(kWrongType); }
  void arity_error();
  // The shard did not take the write.
  void busy();
};

// The handler of a command that has nothing but subcommands.
void run_subcommand(Call& call);

}  // namespace vigil::server
