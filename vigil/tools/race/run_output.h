// SPDX-License-Identifier: Apache-2.0
//
// What `vigil race run` and `replay` tell and write: findings as they come, the progress on a
// terminal, the closing lines, the JSON report and the event stream.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/tools/race/campaign.h"
#include "vigil/tools/race/text_report.h"

namespace vigil::tools::race {

class RunOutput {
 public:
  explicit RunOutput(const RaceOptions& options);

  // After each schedule.
  void show(const ScheduleResult& result, const std::vector<report::Finding>& news,
            const CampaignTotals& totals);
  // At the end; `suppressions` may be nullptr.
  void close(const Campaign& campaign, const Suppressions* suppressions);
  // The files that were asked for.
  Result<void> write_files(const Campaign& campaign) const;

 private:
  void show_progress(const CampaignTotals& totals);
  void clear_progress();
  void print(std::string_view text);

  const RaceOptions& options_;
  TextStyle style_;
  int stream_;  // of the report: standard output, unless the JSON goes there
  bool has_terminal_;
  bool progress_shown_ = false;
  bool events_are_of_finding_ = false;
  std::int64_t progress_at_ms_ = 0;
  std::string events_;
};

}  // namespace vigil::tools::race
