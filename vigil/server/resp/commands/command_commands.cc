// SPDX-License-Identifier: Apache-2.0
//
// COMMAND: the command table, as programs and people ask for it.
#include <array>
#include <functional>
#include <string_view>
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
  reply.set(flags.size());
  for (const std::string_view flag : flags) reply.simple(flag);
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
  reply.array(0);  // key specifications
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

void document(Call& call, const Command& command, CommandFamily family) {
  call.reply.bulk(command.name);
  call.reply.map(command.subcommands.empty() ? 2 : 3);
  call.reply.bulk("summary");
  call.reply.bulk(command.summary);
  call.reply.bulk("group");
  call.reply.bulk(kCommandFamilyNames[static_cast<std::size_t>(family)]);
  if (command.subcommands.empty()) return;
  call.reply.bulk("subcommands");
  call.reply.map(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) document(call, subcommand, family);
}

void command_docs(Call& call) {
  Commands shown = call.args.empty() ? every_command(call) : Commands();
  for (const std::string_view name : call.args) {
    if (const Command* command = call.shared().commands.find_full(name)) shown.push_back(command);
  }
  call.reply.map(shown.size());
  for (const Command* command : shown) document(call, *command, command->family);
}

// The command that the words of a request select; nullptr if there is none.
const Command* find_requested(const Call& call, std::span<const std::string_view> words) {
  const Command* const command = call.shared().commands.find(words.front());
  if (command == nullptr || command->subcommands.empty() || words.size() == 1) return command;
  return command->find_subcommand(words[1]);
}

void command_getkeys(Call& call) {
  const auto words = call.args;
  const Command* const command = find_requested(call, words);
  if (command == nullptr) return call.reply.error("ERR Invalid command specified");
  if (command->keys.first == 0) return call.reply.error("ERR The command has no key arguments");
  if (!command->accepts(words.size())) {
    return call.reply.error("ERR Invalid number of arguments specified for command");
  }
  const auto keys = command->keys_of(words);
  call.reply.array(keys.size());
  for (const std::string_view key : keys) call.reply.bulk(key);
}

constexpr std::array kCommandSubcommands = {
    Command{.name = "command|count",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_count,
            .summary = "Counts the commands"},
    Command{.name = "command|info",
            .arity = -2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_info,
            .summary = "Describes commands to programs"},
    Command{.name = "command|list",
            .arity = -2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_list,
            .summary = "Lists the names of commands"},
    Command{.name = "command|docs",
            .arity = -2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_docs,
            .summary = "Describes commands to people"},
    Command{.name = "command|getkeys",
            .arity = -4,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = command_getkeys,
            .summary = "Returns the keys of a request"},
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
            .summary = "Describes the commands",
            .subcommands = kCommandSubcommands},
};

}  // namespace

std::span<const Command> command_commands() { return kCommands; }

}  // namespace vigil::server
