// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/suggestion.h"

#include <gtest/gtest.h>

namespace vigil::text {
namespace {

TEST(SuggestionTest, NamesTheNearestCandidateIfOneIsNear) {
  EXPECT_EQ(suggestion("--soruce", {"--json", "--source"}), "; did you mean --source?");
  EXPECT_EQ(suggestion("--sede", {"--mode", "--seed"}), "; did you mean --seed?");
  EXPECT_EQ(suggestion("serevr.bind", {"cache.hash", "server.bind"}),
            "; did you mean server.bind?");
  EXPECT_EQ(suggestion("--xyzzy-plugh", {"--json", "--source"}), "");
  EXPECT_EQ(suggestion("", {}), "");
}

TEST(SuggestionTest, ALongNameIsNotWorthTheWork) {
  const std::string name(1'000'000, 'x');
  EXPECT_EQ(suggestion(name, {name}), "");
}

}  // namespace
}  // namespace vigil::text
