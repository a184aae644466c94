// SPDX-License-Identifier: Apache-2.0
//
// From recorded addresses to findings with names: functions, lines, variables, threads.
//
// Every schedule of a program maps the same files to the same places, so what was looked up once
// serves all schedules.
//
// Thread safety: none.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/race/record_reader.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools::race {

class FindingNamer {
 public:
  // Everything but the fields about the replay.
  report::Finding name(const RecordedProcess& process, const RecordedFinding& recorded);

  // The frames of a recorded stack.
  report::Stack stack(const RecordedProcess& process, report::StackId id);

 private:
  void use_modules_of(const RecordedProcess& process);
  void add_waiters(const RecordedProcess& process, const RecordedFinding& recorded,
                   report::Finding* finding);
  report::Location location(const RecordedProcess& process, const RecordedFinding& recorded);
  report::Lock lock(const RecordedProcess& process, const report::LockRecord& record);
  report::Thread& thread(const RecordedProcess& process, std::int64_t number,
                         report::Finding* finding);
  std::string variable_at(std::uint64_t address);

  std::vector<Module> modules_;
  std::optional<Symbolizer> symbolizer_;
};

}  // namespace vigil::tools::race
