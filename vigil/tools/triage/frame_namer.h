// SPDX-License-Identifier: Apache-2.0
//
// FrameNamer: gives names to the frames of a log that has only "program+0x279c", when the program
// is at hand: at the path that the log has, or as the --executable of the command. A frame becomes
// its inline chain; one that cannot be named stays as it is.
//
//   FrameNamer namer("build/server");
//   namer.name(&stack);
//
// Thread safety: none. Complexity: an address is looked up once per program (Symbolizer).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "vigil/report/report.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools::triage {

class FrameNamer {
 public:
  // `executable` stands in for every module with its file name; empty: none.
  explicit FrameNamer(std::string executable) : executable_(std::move(executable)) {}

  void name(report::Stack* stack);
  void name(report::Finding* finding);
  void name(report::Thread* thread);

 private:
  // Null if the module's file is not at hand.
  Symbolizer* symbolizer_of(const std::string& module);
  [[nodiscard]] std::string file_of(const std::string& module) const;

  std::string executable_;
  std::map<std::string, std::unique_ptr<Symbolizer>> symbolizers_;  // by module, null if none
};

}  // namespace vigil::tools::triage
