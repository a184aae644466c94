// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/log/log_options.h"

#include <string_view>
#include <utility>
#include <vector>

#include "vigil/tools/options/options.h"

namespace vigil::tools {
namespace {

constexpr std::string_view kUsageLines =
    "vigil log dump DIR [OPTIONS]\n       vigil log check DIR [--json FILE]\n"
    "       vigil log repair DIR [--json FILE]";

constexpr std::string_view kSummary =
    "Looks at a data directory of vigild. No server may have it open: stop it, or copy the\n"
    "directory.\n\n"
    "dump    prints the log's records, one a line, from the newest snapshot's position on\n"
    "check   reads every byte that counts and says what is wrong: a torn tail, which the next\n"
    "        start cuts off, or damage, with file, offset and reason\n"
    "repair  makes a damaged directory readable again and keeps what can be verified. Each file "
    "is\n"
    "        copied to saved.NAME before it is changed. What was lost is said";

constexpr std::string_view kFooter =
    "Examples:\n"
    "  vigil log check /var/lib/vigild\n"
    "  vigil log dump /var/lib/vigild --limit 10 --values\n"
    "  vigil log dump /var/lib/vigild --json - | jq 'select(.key == \"order:17\")'\n"
    "  cp -a /var/lib/vigild /backup/before-repair && vigil log repair /var/lib/vigild\n\n"
    "Exit codes: 0 clean, 1 findings (check), repaired (repair) or damage (dump),\n"
    "2 usage, or the directory cannot be opened, 3 internal.";

Result<LogQuestion::Action> parse_action(std::string_view name) {
  if (name == "dump") return LogQuestion::Action::kDump;
  if (name == "check") return LogQuestion::Action::kCheck;
  if (name == "repair") return LogQuestion::Action::kRepair;
  return Error{"\"" + std::string(name) +
               "\" is none of dump, check, repair; see `vigil log --help`"};
}

}  // namespace

Result<LogQuestion> parse_log_question(std::span<const char* const> arguments, std::string* help) {
  LogQuestion question;
  const std::vector<Option> table = {
      {"--json", "FILE", "write JSON, dump one object a line; - is the standard output",
       store_path(&question.json)},
      {"--from", "POSITION", "dump: begin there instead of at the newest snapshot",
       [&](std::string_view text) {
         question.from_is_given = true;
         return store_number(&question.from, 0, UINT64_MAX)(text);
       }},
      {"--limit", "N", "dump: at most so many records",
       store_number(&question.limit, 0, UINT64_MAX)},
      {"--values", "", "dump: print values as well, not only their sizes",
       store_flag(&question.values)},
      {"--marks", "", "dump: print marks as well, which say what was durable",
       store_flag(&question.marks)},
  };
  const Result<ParsedArguments> parsed = parse_options(table, arguments, Operands::kAnywhere);
  if (!parsed) return parsed.error();
  if (parsed->help || arguments.empty()) {
    *help = command_help(kUsageLines, kSummary, table, kFooter);
    return question;
  }
  if (parsed->operands.size() != 2) {
    return Error{"expected what to do and one directory, as in `vigil log check DIR`"};
  }
  const Result<LogQuestion::Action> action = parse_action(parsed->operands[0]);
  if (!action) return action.error();
  question.action = *action;
  question.directory = parsed->operands[1];
  if (question.directory.size() > 1 && question.directory.ends_with('/')) {
    question.directory.pop_back();
  }
  const bool dumps = question.action == LogQuestion::Action::kDump;
  if (!dumps && (question.from_is_given || question.values || question.marks ||
                 question.limit != UINT64_MAX)) {
    return Error{"--from, --limit, --values and --marks are for dump only"};
  }
  return question;
}

}  // namespace vigil::tools
