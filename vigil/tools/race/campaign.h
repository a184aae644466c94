// SPDX-License-Identifier: Apache-2.0
//
// Campaign: many schedules of one program, one seed after the other, and what they showed.
//
// Schedules that run at the same time are looked at in the order of their seeds, and a campaign
// that stops at the first finding stops at that of the lowest seed: the result does not depend on
// --jobs.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/report/report.h"
#include "vigil/tools/race/finding_namer.h"
#include "vigil/tools/race/finding_table.h"
#include "vigil/tools/race/race_options.h"
#include "vigil/tools/race/schedule.h"
#include "vigil/tools/race/suppressions.h"

namespace vigil::tools::race {

// What one schedule showed.
struct ScheduleResult {
  ScheduleOutcome outcome;
  Recording recording;
  std::vector<report::Finding> findings;  // without the suppressed ones
  std::uint64_t schedule_hash = 0;
};

struct CampaignTotals {
  std::uint64_t schedules = 0;
  std::uint64_t scheduling_points = 0;
  double virtual_seconds = 0;
  // Exit statuses other than 0 of schedules without a finding, with the first seed of each.
  struct Exits {
    std::uint64_t count = 0;
    std::uint64_t first_seed = 0;
  };
  std::map<int, Exits> exits;
  std::set<std::string> notes;
};

class Campaign {
 public:
  // Called for each schedule, in the order of the seeds; `is_news`: it has a finding not seen yet.
  using Observer =
      std::function<void(const ScheduleResult& result, const std::vector<report::Finding>& news)>;

  // `options` and `suppressions` outlive the campaign.
  Campaign(const RaceOptions& options, Suppressions* suppressions);

  // Runs the schedules until the end or, without --keep-going, the first finding; also until
  // `stop` becomes true. An error means that the program cannot be examined at all.
  Result<void> run(const Observer& observer, const volatile bool* stop);

  // One schedule; its findings are not added to the table.
  Result<ScheduleResult> run_one(const Launch& launch);
  // Adds findings to the table and returns those that are new.
  std::vector<report::Finding> add(const std::vector<report::Finding>& findings);

  [[nodiscard]] const CampaignTotals& totals() const { return totals_; }
  [[nodiscard]] const FindingTable& table() const { return table_; }
  // Places of the races found so far, for --points conflicts; empty with other points.
  [[nodiscard]] std::string conflicts() const;
  FindingNamer& namer() { return namer_; }

 private:
  Result<ScheduleResult> examine(ScheduleOutcome outcome, bool has_output);
  void use_suppressions_of(const ScheduleResult& result);
  void name_findings(ScheduleResult* result);
  void add_end_of_process(ScheduleResult* result);
  void learn_conflicts(const RecordedProcess& process, const RecordedFinding& finding);
  void count(const ScheduleResult& result);

  const RaceOptions& options_;
  Suppressions* suppressions_;
  FindingNamer namer_;
  FindingTable table_;
  CampaignTotals totals_;
  std::set<std::uint64_t> conflicts_;
  std::set<std::string> own_suppressions_;
};

// The command that shows the schedule again.
[[nodiscard]] std::string replay_command(const RaceOptions& options,
                                         const ScheduleOutcome& outcome);

}  // namespace vigil::tools::race
