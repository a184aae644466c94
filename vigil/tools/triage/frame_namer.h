// SPDX-License-Identifier: Apache-2.0
//
// FrameNamer: gives names to the frames of a log that has only "program+0x279c", when the program
// is at hand: as the --executable of the command, or below the project's folder at the path that
// the log has. A frame becomes its inline chain; one that cannot be named stays as it is.
//
//   FrameNamer namer("build/server", project);
//   namer.name(&stack);
//   for (const std::string& warning : namer.take_warnings()) ...
//
// Programs are read in a process of its own (vigil/tools/isolation): one that breaks the reader
// names no frame, and a warning says so.
//
// Thread safety: none. Complexity: an address is looked up once per program.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/input/project_folder.h"
#include "vigil/tools/isolation/isolated_reader.h"

namespace vigil::tools::triage {

class FrameNamer {
 public:
  // `executable` stands in for every module with its file name; empty: none. `project` outlives the
  // namer.
  FrameNamer(std::string executable, const input::ProjectFolder& project)
      : executable_(std::move(executable)), project_(project) {}

  void name(report::Stack* stack);
  void name(report::Finding* finding);
  void name(report::Thread* thread);

  // What could not be named, and why.
  [[nodiscard]] std::vector<std::string> take_warnings();

 private:
  // Empty if the module's file is not at hand, or broke its reader.
  const std::string& file_of(const std::string& module);
  std::string find(const std::string& module);
  // Empty if nothing is known about the address.
  const report::Stack& chain_at(const std::string& module, std::uint64_t address);
  Result<report::Stack> ask(const std::string& file, std::uint64_t address);

  std::string executable_;
  const input::ProjectFolder& project_;
  std::map<std::string, std::string> files_;  // by module
  std::map<std::pair<std::string, std::uint64_t>, report::Stack> chains_;
  bool executable_is_used_ = false;
  bool lacks_names_ = false;
  std::optional<IsolatedReader> reader_;
  std::vector<std::string> warnings_;
};

}  // namespace vigil::tools::triage
