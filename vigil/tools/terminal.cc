// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/terminal.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "vigil/text/visible.h"

namespace vigil::tools {
namespace {

constexpr std::string_view kGithubCommand = "::";  // at the start of a line, after blanks
constexpr std::array<std::string_view, 3> kCommands = {"##[", "##vso[", "##teamcity["};

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string output_line(std::string_view text) {
  std::string line = text::visible_text(text);
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin != std::string::npos && line.compare(begin, 2, kGithubCommand) == 0) line[begin] = '?';
  for (const std::string_view command : kCommands) {
    for (std::size_t at = line.find(command); at != std::string::npos;
         at = line.find(command, at)) {
      line[at + 1] = '?';
    }
  }
  return line;
}

void complain(std::string_view command, std::string_view message) {
  const std::string line = output_line(std::string(command).append(": ").append(message)) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool has_cursor(int descriptor) {
  const char* const terminal = std::getenv("TERM");
  return isatty(descriptor) == 1 && is_set("TERM") && std::string_view(terminal) != "dumb";
}

bool has_colour(int descriptor) { return has_cursor(descriptor) && !is_set("NO_COLOR"); }

}  // namespace vigil::tools
