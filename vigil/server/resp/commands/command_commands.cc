// SPDX-License-Identifier: Apache-2.0
//
// COMMAND: the command table, as programs and people ask for it.
#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/server/resp/command_table.h"
#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/glob.h"

namespace vigil::server {

namespace {

using Commands = std::vector<const Command*>;

Commands every_command(const Call& call) {
  const auto sorted = call.shared().commands.sorted();
  return {sorted.begin(), sorted.end()};
}

struct FlagName {
  Command::Flag flag;
  std::string_view name;
};
constexpr std::array kFlagNames = {
    FlagName{Command::kWrite, "write"},     FlagName{Command::kReadOnly, "readonly"},
    FlagName{Command::kDenyOom, "denyoom"}, FlagName{Command::kAdmin, "admin"},
    FlagName{Command::kPubSub, "pubsub"},   FlagName{Command::kFast, "fast"},
    FlagName{Command::kNoAuth, "no_auth"},  FlagName{Command::kLoading, "loading"},
};

std::vector<std::string_view> words_of(std::string_view text, char separator) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

void reply_words(Call& call, const std::vector<std::string_view>& words) {
  call.reply.set(words.size());
  for (const std::string_view word : words) call.reply.simple(word);
}

// Keys from the argument `first` to `last` (counted from `first`; negative: from the end).
void describe_keys(Call& call, std::string_view access, int first, int last, int step) {
  RespWriter& reply = call.reply;
  reply.map(3);
  reply.bulk("flags");
  reply_words(call, words_of(access, ' '));
  reply.bulk("begin_search");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("index");
  reply.bulk("spec");
  reply.map(1);
  reply.bulk("index");
  reply.integer(first);
  reply.bulk("find_keys");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("range");
  reply.bulk("spec");
  reply.map(3);
  reply.bulk("lastkey");
  reply.integer(last);
  reply.bulk("keystep");
  reply.integer(step);
  reply.bulk("limit");
  reply.integer(0);
}

// The key specifications: one for all keys, or one for each where they differ.
void describe_keys(Call& call, const Command& command) {
  const KeyPositions& keys = command.keys;
  const std::vector<std::string_view> accesses = words_of(command.access, '|');
  call.reply.array(accesses.size());
  if (accesses.size() == 1) {
    const int last = keys.last < 0 ? keys.last : keys.last - keys.first;
    return describe_keys(call, accesses.front(), keys.first, last, keys.step);
  }
  int first = keys.first;
  for (const std::string_view access : accesses) describe_keys(call, access, first++, 0, 1);
}

void describe(Call& call, const Command* command) {
  RespWriter& reply = call.reply;
  if (command == nullptr) return reply.null();
  reply.array(10);
  reply.bulk(command->name);
  reply.integer(command->arity);
  std::vector<std::string_view> flags;
  for (const FlagName& flag : kFlagNames) {
    if (command->has(flag.flag)) flags.push_back(flag.name);
  }
  reply_words(call, flags);
  reply.integer(command->keys.first);
  reply.integer(command->keys.last);
  reply.integer(command->keys.step);
  std::vector<std::string> categories;
  for (const Category& category : kCategories) {
    if ((command->all_categories() & category.bit) != 0) {
      categories.push_back(std::string("@").append(category.name));
    }
  }
  reply.set(categories.size());
  for (const std::string& category : categories) reply.simple(category);
  reply.array(0);  // tips
  describe_keys(call, *command);
  reply.array(command->subcommands.size());
  for (const Command& subcommand : command->subcommands) describe(call, &subcommand);
}

void describe_all(Call& call, const Commands& commands) {
  call.reply.array(commands.size());
  for (const Command* command : commands) describe(call, command);
}

void command_count(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.shared().commands.sorted().size()));
}

void command_info(Call& call) {
  if (call.args.empty()) return describe_all(call, every_command(call));
  Commands named;
  for (const std::string_view name : call.args) {
    named.push_back(call.shared().commands.find_full(name));
  }
  describe_all(call, named);
}

using Filter = std::function<bool(const Command&)>;

// [FILTERBY (ACLCAT category | PATTERN pattern | MODULE name)]
Filter read_filter(Arguments& args) {
  if (!args.more()) return [](const Command&) { return true; };
  args.require(args.left() == 3 && args.flag("filterby"));
  if (args.option("aclcat")) {
    const std::string_view name = args.next();
    std::uint32_t bit = 0;
    for (const Category& category : kCategories) {
      if (equal_ignoring_case(category.name, name)) bit = category.bit;
    }
    return [bit](const Command& command) { return (command.all_categories() & bit) != 0; };
  }
  if (args.option("pattern")) {
    return [pattern = args.next()](const Command& command) {
      return glob_match(pattern, command.name, /*ignore_case=*/true);
    };
  }
  args.require(args.option("module"));
  return [](const Command&) { return false; };  // there are no modules
}

// Lists subcommands too, by their full names, as Redis does.
void command_list(Call& call) {
  Arguments args(call.args);
  const Filter shown = read_filter(args);
  if (!args.ok()) return call.reply.error(args.error());
  std::vector<std::string_view> names;
  for (const Command* command : call.shared().commands.sorted()) {
    if (shown(*command)) names.push_back(command->name);
    for (const Command& subcommand : command->subcommands) {
      if (shown(subcommand)) names.push_back(subcommand.name);
    }
  }
  call.reply.array(names.size());
  for (const std::string_view name : names) call.reply.bulk(name);
}

// As Redis groups its commands, which `HELP @group` of its clients goes by.
std::string_view group_of(CommandFamily family) {
  if (family == CommandFamily::kRead || family == CommandFamily::kWrite) return "string";
  if (family == CommandFamily::kKey || family == CommandFamily::kExpiry) return "generic";
  return kCommandFamilyNames[static_cast<std::size_t>(family)];
}

void document(Call& call, const Command& command) {
  call.reply.bulk(command.name);
  const std::array<std::pair<std::string_view, std::string_view>, 4> members = {
      {{"summary", command.summary},
       {"since", command.since},
       {"group", group_of(command.family)},
       {"complexity", command.complexity}}};
  const auto known = std::count_if(members.begin(), members.end(),
                                   [](const auto& member) { return !member.second.empty(); });
  call.reply.map(static_cast<std::size_t>(known) + (command.subcommands.empty() ? 0 : 1));
  for (const auto& [name, value] : members) {
    if (value.empty()) continue;
    call.reply.bulk(name);
    call.reply.bulk(value);
  }
  if (command.subcommands.empty()) return;
  call.reply.bulk("subcommands");
  call.reply.map(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) document(call, subcommand);
}

void command_docs(Call& call) {
  Commands shown = call.args.empty() ? every_command(call) : Commands();
  for (const std::string_view name : call.args) {
    if (const Command* command = call.shared().commands.find_full(name)) shown.push_back(command);
  }
  call.reply.map(shown.size());
  for (const Command* command : shown) document(call, *command);
}

// The command that the words of a request select; nullptr if there is none.
const Command* find_requested(const Call& call, std::span<const std::string_view> words) {
  const Command* const command = call.shared().commands.find(words.front());
  if (command == nullptr || command->subcommands.empty() || words.size() == 1) return command;
  return command->find_subcommand(words[1]);
}

// The command that the words of a request select; nullptr after replying that it has no keys.
const Command* find_keyed(Call& call) {
  const Command* const command = find_requested(call, call.args);
  if (command == nullptr) {
    call.reply.error("ERR Invalid command specified");
  } else if (command->keys.first == 0) {
    call.reply.error("ERR The command has no key arguments");
  } else if (!command->accepts(call.args.size())) {
    call.reply.error("ERR Invalid number of arguments specified for command");
  } else {
    return command;
  }
  return nullptr;
}

void command_getkeys(Call& call) {
  const Command* const command = find_keyed(call);
  if (command == nullptr) return;
  const auto keys = command->keys_of(call.args);
  call.reply.array(keys.size());
  for (const std::string_view key : keys) call.reply.bulk(key);
}

void command_getkeysandflags(Call& call) {
  const Command* const command = find_keyed(call);
  if (command == nullptr) return;
  const auto keys = command->keys_of(call.args);
  const std::vector<std::string_view> accesses = words_of(command->access, '|');
  call.reply.array(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    call.reply.array(2);
    call.reply.bulk(keys[i]);
    reply_words(call, words_of(accesses[std::min(i, accesses.size() - 1)], ' '));
  }
}

constexpr std::array kCommandSubcommands = {
    Command{.name = "command|count",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_count,
            .since = "2.8.13",
            .complexity = "O(1)",
            .summary = "Counts the commands"},
    Command{.name = "command|info",
            .arity = -2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_info,
            .since = "2.8.13",
            .complexity = "O(N)",
            .summary = "Describes commands to programs"},
    Command{.name = "command|list",
            .arity = -2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_list,
            .since = "7.0.0",
            .complexity = "O(N)",
            .summary = "Lists the names of commands"},
    Command{.name = "command|docs",
            .arity = -2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_docs,
            .since = "7.0.0",
            .complexity = "O(N)",
            .summary = "Describes commands to people"},
    Command{.name = "command|getkeys",
            .arity = -4,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_getkeys,
            .since = "2.8.13",
            .complexity = "O(N)",
            .summary = "Returns the keys of a request"},
    Command{.name = "command|getkeysandflags",
            .arity = -4,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_getkeysandflags,
            .since = "7.0.0",
            .complexity = "O(N)",
            .summary = "Returns the keys of a request and what it does to them"},
    help_row("command|help", Category::kConnection),
};

void command(Call& call) {
  call.args.empty() ? describe_all(call, every_command(call)) : run_subcommand(call);
}

constexpr std::array kCommands = {
    Command{.name = "command",
            .arity = -1,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .family = CommandFamily::kServer,
            .handler = command,
            .since = "2.8.13",
            .complexity = "O(N)",
            .summary = "Describes the commands",
            .subcommands = kCommandSubcommands},
};

}  // namespace

std::span<const Command> command_commands() { return kCommands; }

}  // namespace vigil::server
