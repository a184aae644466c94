// SPDX-License-Identifier: Apache-2.0
//
// Configuration from the command line.
#include <CLI/CLI.hpp>

#include "vigil/base/files.h"
#include "vigil/base/version.h"
#include "vigil/server/config/config.h"
#include "vigil/server/config/setting.h"
#include "vigil/text/suggestion.h"

namespace vigil::server {

namespace {

constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;

constexpr const char* kExamples = R"(Examples:
  vigild                                        serve on 127.0.0.1, ports 6390 and 8390
  vigild --demo                                 the same, with a live order workload
  vigild --resp-port 0 --http-port 0            free ports; the ready line names them
  vigild --config vigild.toml --threads 2       a file; flags override it
  vigild --bind 0.0.0.0 --password-file secret  for other machines
  vigild --print-config > vigild.toml           every setting with its effective value

Exit codes: 0 stopped after a drain, 2 usage or configuration, 3 internal, 130 second Ctrl-C.)";

struct Flags {
  std::string config_file;
  bool print_config = false;
  bool show_version = false;
  bool demo = false;
  std::vector<std::string> values;  // by setting
};

void define_flags(CLI::App* app, Flags* flags) {
  app->add_option("--config", flags->config_file, "TOML file with settings")->option_text("FILE");
  app->add_flag("--print-config", flags->print_config,
                "print the effective configuration as TOML and exit");
  app->add_flag("--demo", flags->demo, "run a live order workload against this server");
  app->add_flag("--version", flags->show_version, "print the version and exit");
  const Config defaults;
  flags->values.resize(settings().size());
  for (std::size_t i = 0; i < settings().size(); ++i) {
    const Setting& setting = settings()[i];
    std::string help(setting.help);
    const std::string literal = toml_literal(setting, defaults);
    if (literal != "\"\"" && literal != "false") help += " [" + literal + "]";
    const std::string flag(setting.flag);
    if (setting.form == Setting::Form::kSwitch) {
      app->add_flag_callback(
          flag, [flags, i] { flags->values[i] = "true"; }, help);
    } else {
      const std::string names =
          setting.alias.empty() ? flag : flag + ",--" + std::string(setting.alias);
      app->add_option(names, flags->values[i], help)->option_text("VALUE");
    }
  }
}

Result<void> apply_file(const std::string& path, Config* config) {
  const Result<std::string> text = read_file(path, kConfigBytesMax);
  if (!text) return Error{"--config: " + text.error().message};
  return apply_toml(*text, path, config);
}

Result<void> apply_flags(const CLI::App& app, const Flags& flags, Config* config) {
  for (std::size_t i = 0; i < settings().size(); ++i) {
    const Setting& setting = settings()[i];
    if (app.count(std::string(setting.flag)) == 0) continue;
    if (Result<void> done = assign(setting, flags.values[i], config); !done) {
      return Error{std::string(setting.flag) + ": " + done.error().message};
    }
  }
  return {};
}

Error unknown_argument(const std::string& argument) {
  std::vector<std::string_view> flags = {"--config", "--print-config", "--demo", "--version",
                                         "--help"};
  for (const Setting& setting : settings()) flags.push_back(setting.flag);
  const std::string name = argument.substr(0, argument.find('='));
  return Error{name + ": unknown argument" + text::suggestion(name, flags)};
}

Invocation show(std::string text) {
  Invocation invocation;
  invocation.action = Invocation::Action::kShowText;
  invocation.text = std::move(text);
  return invocation;
}

}  // namespace

Result<Invocation> parse_command_line(int argc, const char* const* argv) {
  CLI::App app("vigild: an order-state cache for Redis and HTTP clients", "vigild");
  Flags flags;
  define_flags(&app, &flags);
  app.allow_extras();
  app.footer(kExamples);
  app.get_formatter()->column_width(36);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return show(app.help());
  } catch (const CLI::ParseError& error) {
    return Error{error.what()};
  }
  if (!app.remaining().empty()) return unknown_argument(app.remaining().front());
  if (flags.show_version) return show("vigild " + std::string(version()) + "\n");

  Invocation invocation;
  invocation.demo = flags.demo;
  Config& config = invocation.config;
  if (!flags.config_file.empty()) {
    if (Result<void> done = apply_file(flags.config_file, &config); !done) return done.error();
  }
  if (Result<void> done = apply_flags(app, flags, &config); !done) return done.error();
  if (Result<void> done = complete_config(&config); !done) return done.error();
  if (flags.print_config) return show(to_toml(config));
  return invocation;
}

}  // namespace vigil::server
