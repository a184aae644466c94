// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/recipe.h"

#include <algorithm>

#include "vigil/tools/race/finding_table.h"
#include "vigil/tools/race/text_report.h"

namespace vigil::tools::race {
namespace {

class Recipe {
 public:
  explicit Recipe(const report::Finding& finding) : finding_(finding) {}

  void add(const RecipeDecision& decision) {
    run_to(decision.from, decision.stood_at);
    switch (decision.kind) {
      case RecipeDecision::Kind::kRun:
        next_ = decision.to;
        return;
      case RecipeDecision::Kind::kClock:
        steps_.emplace_back("the next deadline fires");
        return;
      case RecipeDecision::Kind::kChoice:
        steps_.push_back("of those that wait, number " + std::to_string(decision.to + 1) +
                         " is woken");
        return;
    }
  }

  std::vector<std::string> finish() {
    // The earlier access first.
    for (std::size_t i = finding_.accesses.size(); i-- > 0;)
      run_to(finding_.accesses[i].thread, finding_.accesses[i].stack);
    if (finding_.accesses.empty()) wait();
    steps_.push_back(headline(finding_));
    return std::move(steps_);
  }

 private:
  // Where a thread stands that has not begun, or whose stack is not known, says nothing.
  void run_to(std::int64_t thread, const report::Stack& stack) {
    go_on(thread);
    if (!stack.empty()) add_step(thread, "runs to", stack);
  }
  // The thread that was chosen last runs, unless it is `thread`, of which a step follows.
  void go_on(std::int64_t thread) {
    if (next_ >= 0 && next_ != thread)
      steps_.push_back(thread_name(finding_, next_) + " runs as far as it can");
    next_ = -1;
  }
  void wait() {
    go_on(-1);
    for (const report::Thread& thread : finding_.threads) {
      if (!thread.stack.empty()) add_step(thread.id, "waits at", thread.stack);
    }
  }
  void add_step(std::int64_t thread, const char* what, const report::Stack& stack) {
    // A thread that begins or ends stands in nobody's source lines.
    const bool in_library = is_library(*place_of(stack));
    std::string step = thread_name(finding_, thread) + " " + std::string(what) + " " +
                       (in_library ? "a library: " : "") + short_place(stack);
    if (steps_.empty() || steps_.back() != step) steps_.push_back(std::move(step));
  }

  const report::Finding& finding_;
  std::vector<std::string> steps_;
  std::int64_t next_ = -1;  // the thread that the last decision chose
};

}  // namespace

std::vector<std::string> recipe_steps(const std::vector<RecipeDecision>& decisions,
                                      const report::Finding& finding) {
  Recipe recipe(finding);
  for (const RecipeDecision& decision : decisions) recipe.add(decision);
  return recipe.finish();
}

}  // namespace vigil::tools::race
