// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/recipe.h"

#include <algorithm>

#include "vigil/tools/race/text_report.h"

namespace vigil::tools::race {
namespace {

class Recipe {
 public:
  explicit Recipe(const report::Finding& finding) : finding_(finding) {}

  void add(const RecipeDecision& decision) {
    switch (decision.kind) {
      case RecipeDecision::Kind::kRun:
        run_to(decision.from, decision.stood_at);
        return;
      case RecipeDecision::Kind::kClock:
        run_to(decision.from, decision.stood_at);
        steps_.emplace_back("the next deadline fires");
        return;
      case RecipeDecision::Kind::kChoice:
        run_to(decision.from, decision.stood_at);
        steps_.push_back("of those that wait, number " + std::to_string(decision.to + 1) +
                         " is woken");
        return;
    }
  }

  std::vector<std::string> finish() {
    if (finding_.accesses.empty()) {
      for (const report::Thread& thread : finding_.threads) {
        if (!thread.stack.empty()) add_step(thread.id, "waits at", thread.stack);
      }
    } else {
      // The earlier access first.
      for (std::size_t i = finding_.accesses.size(); i-- > 0;)
        run_to(finding_.accesses[i].thread, finding_.accesses[i].stack);
    }
    steps_.push_back(headline(finding_));
    return std::move(steps_);
  }

 private:
  void run_to(std::int64_t thread, const report::Stack& stack) {
    if (stack.empty()) return;
    add_step(thread, "runs to", stack);
  }
  void add_step(std::int64_t thread, const char* what, const report::Stack& stack) {
    std::string step =
        thread_name(finding_, thread) + " " + std::string(what) + " " + short_place(stack);
    if (steps_.empty() || steps_.back() != step) steps_.push_back(std::move(step));
  }

  const report::Finding& finding_;
  std::vector<std::string> steps_;
};

}  // namespace

std::vector<std::string> recipe_steps(const std::vector<RecipeDecision>& decisions,
                                      const report::Finding& finding) {
  Recipe recipe(finding);
  for (const RecipeDecision& decision : decisions) recipe.add(decision);
  return recipe.finish();
}

}  // namespace vigil::tools::race
