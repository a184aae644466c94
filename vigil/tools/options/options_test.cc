// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/options/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OptionsTest : public ::testing::Test {
 protected:
  Result<ParsedArguments> parse(const std::vector<const char*>& arguments,
                                Operands operands = Operands::kNone) {
    return parse_options(table_, arguments, operands);
  }
  std::string error_of(const std::vector<const char*>& arguments,
                       Operands operands = Operands::kNone) {
    const Result<ParsedArguments> parsed = parse(arguments, operands);
    return parsed ? "" : parsed.error().message;
  }

  std::string json_;
  std::string mode_;
  std::vector<std::string> logs_;
  std::uint32_t jobs_ = 1;
  std::vector<std::uint32_t> threads_;
  double reads_ = 0.9;
  bool quick_ = false;
  bool memory_ = true;
  const std::vector<Option> table_ = {
      {"--json", "FILE", "write JSON", store_path(&json_)},
      {"--mode", "controlled|free", "how threads run:\none at a time, or all",
       store_choice(&mode_, {"controlled", "free"})},
      {"--log", "FILE", "repeatable", store_texts(&logs_)},
      {"--jobs", "N", "at the same time", store_number(&jobs_, 1, 64)},
      {"--threads", "N...", "numbers of threads", store_numbers(&threads_, 1, 1024), true},
      {"--reads", "SHARE", "share of reads", store_fraction(&reads_, 0, 1)},
      {"--quick", "", "fewer cells", store_flag(&quick_)},
      {"--no-memory", "", "leave out memory", store_flag(&memory_, false)},
  };
};

TEST_F(OptionsTest, ValuesFollowTheNameOrAnEqualsSign) {
  ASSERT_TRUE(parse({"--json", "a=b", "--mode=free", "--quick", "--no-memory", "--reads=0.5"}));
  EXPECT_EQ(json_, "a=b");
  EXPECT_EQ(mode_, "free");
  EXPECT_TRUE(quick_);
  EXPECT_FALSE(memory_);
  EXPECT_EQ(reads_, 0.5);
}

TEST_F(OptionsTest, TheLastValueCountsAndRepeatedOnesAddUp) {
  ASSERT_TRUE(parse({"--jobs", "2", "--log", "a", "--jobs", "3", "--log=b"}));
  EXPECT_EQ(jobs_, 3U);
  EXPECT_THAT(logs_, ElementsAre("a", "b"));
}

TEST_F(OptionsTest, SeveralValuesEndAtTheNextOption) {
  ASSERT_TRUE(parse({"--threads", "1", "2", "--quick"}));
  EXPECT_THAT(threads_, ElementsAre(1, 2));
  EXPECT_TRUE(quick_);
}

TEST_F(OptionsTest, AMistypedNameIsAnsweredWithTheNearestOne) {
  EXPECT_EQ(error_of({"--jsno", "x"}), "unknown option --jsno; did you mean --json?");
  EXPECT_EQ(error_of({"--hlep"}), "unknown option --hlep; did you mean --help?");
  EXPECT_EQ(error_of({"--xyzzy-plugh"}), "unknown option --xyzzy-plugh");
  EXPECT_EQ(error_of({"-x"}), "unknown option -x");
  EXPECT_EQ(error_of({"--mode", "fre"}),
            "--mode fre: expected one of controlled, free; did you mean free?");
}

TEST_F(OptionsTest, AnErrorSaysWhatWouldBeRight) {
  EXPECT_EQ(error_of({"--jobs", "0"}), "--jobs 0: expected a whole number from 1 to 64");
  EXPECT_EQ(error_of({"--json", ""}), "--json \"\": expected the path of a file");
  EXPECT_EQ(error_of({"--json"}), "--json needs a value");
  EXPECT_EQ(error_of({"--json", "--quick"}), "--json needs a value");
  EXPECT_EQ(error_of({"--quick=1"}), "--quick takes no value");
  EXPECT_THAT(error_of({"--reads", "90"}), HasSubstr("--reads 90: expected a number from 0"));
  EXPECT_EQ(error_of({"extra"}), "unexpected argument extra");
}

TEST_F(OptionsTest, OperandsStandWhereTheCommandAllowsThem) {
  EXPECT_THAT(parse({"a", "--quick", "-", "--", "--json"}, Operands::kAnywhere)->operands,
              ElementsAre("a", "-", "--json"));
  EXPECT_TRUE(quick_);
  EXPECT_THAT(parse({"./a", "--json"}, Operands::kLast)->operands, ElementsAre("./a", "--json"));
  EXPECT_EQ(json_, "");
  EXPECT_EQ(error_of({"--", "true"}), "unexpected argument true");
  EXPECT_EQ(error_of({"true"}, Operands::kCommand), "unexpected argument true");
  const Result<ParsedArguments> command = parse({"--", "true", "--"}, Operands::kCommand);
  ASSERT_TRUE(command);
  EXPECT_TRUE(command->has_separator);
  EXPECT_THAT(command->operands, ElementsAre("true", "--"));
}

TEST_F(OptionsTest, HelpComesBeforeWhatIsWrongBehindIt) {
  for (const char* help : {"--help", "-h"}) EXPECT_TRUE(parse({help, "--nonsense"})->help);
  EXPECT_FALSE(parse({"--", "--help"}, Operands::kCommand)->help);
}

TEST_F(OptionsTest, TheHelpHasEveryOptionInOneColumn) {
  const std::string help = command_help("vigil x [OPTIONS]", "Does x.", table_, "Examples: none");
  EXPECT_THAT(help, HasSubstr("Usage: vigil x [OPTIONS]\n\nDoes x.\n\nOptions:\n"));
  EXPECT_THAT(help, HasSubstr("\n  --mode controlled|free        how threads run:\n" +
                              std::string(32, ' ') + "one at a time, or all\n"));
  EXPECT_THAT(help, HasSubstr("\n\nExamples: none\n"));
}

TEST(WholeNumberTest, MayHaveAnExponentAndNothingElse) {
  EXPECT_EQ(*whole_number("1e6", 1, 5'000'000), 1'000'000U);
  EXPECT_EQ(*whole_number("18446744073709551615", 0, ~std::uint64_t{0}), ~std::uint64_t{0});
  for (const char* text :
       {"", "-1", "+1", "1.5", "1e99", "1e-1", "nan", "1x", "0x10", " 1", "1e"}) {
    EXPECT_FALSE(whole_number(text, 0, ~std::uint64_t{0})) << text;
  }
}

}  // namespace
}  // namespace vigil::tools
