// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "vigil/base/files.h"
#include "vigil/tools/bench/maps/go_maps.h"
#include "vigil/tools/bench/maps/measure.h"

namespace vigil::tools {
namespace {

namespace fs = std::filesystem;

// A folder that goes away with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "vigil-bench-XXXXXX").string();
    if (!error && mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }  // empty if there is none

 private:
  fs::path path_;
};

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// What the shell command wrote, or nothing if it failed.
Result<std::string> output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return Error{"cannot start a shell"};
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t size = fread(buffer.data(), 1, buffer.size(), pipe)) {
    text.append(buffer.data(), size);
  }
  if (pclose(pipe) != 0) return Error{text};
  return text;
}

// Builds the program without the network: it has no modules but Go's own.
Result<std::string> build(const fs::path& folder) {
  const fs::path source = folder / "go_maps.go";
  const fs::path program = folder / "go_maps";
  if (Result<void> written = write_file(source, kGoMapsSource); !written) return written.error();
  const Result<std::string> built =
      output_of("cd " + quoted(folder.string()) + " && HOME=\"${HOME:-" + folder.string() +
                "}\" GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local go build -o go_maps go_maps.go "
                "2>&1");
  if (!built) return Error{"go cannot build it: " + built.error().message};
  return program.string();
}

template <class Values, class Text>
std::string joined(const Values& values, Text&& text) {
  std::string list;
  for (const auto& value : values) list.append(list.empty() ? "" : ",").append(text(value));
  return list;
}

std::string arguments_for(const MixPlan& plan) {
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  return " -keys " + joined(plan.key_bytes, number) + " -entries " + joined(plan.entries, number) +
         " -reads " + joined(plan.read_percents, number) + " -threads " +
         joined(plan.threads, number) + " -distributions " +
         joined(plan.distributions, [](Distribution d) { return std::string(name_of(d)); }) +
         " -repeats " + std::to_string(plan.repeats) + " -ms " +
         std::to_string(plan.duration.count());
}

// Puts the cell behind the others of its load.
void add_cell(MixCell cell, std::vector<MixCell>& cells) {
  const auto last = std::find_if(cells.rbegin(), cells.rend(),
                                 [&](const MixCell& other) { return other.same_load(cell); });
  cells.insert(last.base() == cells.begin() ? cells.end() : last.base(), std::move(cell));
}

}  // namespace

Result<std::vector<MixCell>> parse_go_cells(const std::string& text) {
  std::vector<MixCell> cells;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    MixCell cell;
    cell.peer = true;
    if (!std::getline(fields, cell.map, '\t') || !std::getline(fields, cell.key, '\t') ||
        !(fields >> cell.entries >> cell.read_percent >> cell.threads >> cell.distribution >>
          cell.mops)) {
      return Error{"unexpected line: " + line};
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

Result<void> measure_go(const MixPlan& plan, const Progress& progress, MapsResults& results) {
  if (!output_of("command -v go")) return Error{"no go on the PATH"};
  progress("Go's maps", 1);
  const TemporaryFolder folder;
  if (folder.path().empty()) return Error{"no temporary folder"};
  const Result<std::string> program = build(folder.path());
  if (!program) return program.error();
  const Result<std::string> text = output_of(quoted(program.value()) + arguments_for(plan));
  if (!text) return Error{"their program failed: " + text.error().message};
  Result<std::vector<MixCell>> cells = parse_go_cells(text.value());
  if (!cells) return cells.error();
  for (MixCell& cell : cells.value()) add_cell(std::move(cell), results.cells);
  return {};
}

}  // namespace vigil::tools
