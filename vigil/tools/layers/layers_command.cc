// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/layers/layers_command.h"

#include <cstdio>
#include <string>
#include <string_view>

#include "vigil/tools/command.h"
#include "vigil/tools/layers/layers.h"
#include "vigil/tools/layers/plain_name.h"
#include "vigil/tools/terminal.h"

namespace vigil::tools {

namespace {

using layers::Rules;

constexpr const char* kHelp = R"(Usage: vigil layers print
       vigil layers check FILE
       vigil layers explain FUNCTION [FILE]

print    writes the built-in rules, with comments: the beginning of a file of one's own
check    reads a rules file and says what is wrong with it
explain  says which layer a frame belongs to and which rule says so

Examples:
  vigil layers print > layers.toml
  vigil layers check layers.toml
  vigil layers explain 'example.com/svc/cron.CleanExpired' cron/clean.go
  vigil triage --layers layers.toml crash.log

Exit codes: 0 done, 1 the rules file has an error, 2 usage.
)";

int print() {
  const std::string_view text = Rules::default_text();
  const bool done = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  return done && std::fflush(stdout) == 0 ? kClean : kInternal;
}

int check(const char* path) {
  const Result<Rules> rules = Rules::with_defaults(path);
  if (!rules) {
    complain("vigil layers", rules.error());
    return kFindings;
  }
  std::printf("%s: %zu rules, before %zu built-in ones\n", output_line(path).c_str(),
              rules->rules().size() - Rules::defaults().rules().size(),
              Rules::defaults().rules().size());
  return kClean;
}

int explain(const char* function, const char* file) {
  const report::Frame frame{.function = function, .file = file, .module = {}};
  const layers::Rule* rule = Rules::defaults().match(frame);
  std::printf("%s: %s", output_line(layers::plain_name(function)).c_str(),
              std::string(layers::to_string(Rules::defaults().layer_of(frame))).c_str());
  if (rule == nullptr) {
    std::printf(" (no rule matches)\n");
  } else {
    std::printf(" (%s%s)\n", rule->origin.c_str(), rule->library ? ", library" : "");
  }
  return kClean;
}

}  // namespace

int run_layers(std::span<const char* const> arguments) {
  const std::string_view what = arguments.empty() ? "" : arguments.front();
  if (what == "print" && arguments.size() == 1) return print();
  if (what == "check" && arguments.size() == 2) return check(arguments[1]);
  if (what == "explain" && (arguments.size() == 2 || arguments.size() == 3)) {
    return explain(arguments[1], arguments.size() == 3 ? arguments[2] : "");
  }
  const bool asked = what == "--help" || what == "-h";
  std::fputs(kHelp, asked ? stdout : stderr);
  return asked ? kClean : kUsage;
}

}  // namespace vigil::tools
