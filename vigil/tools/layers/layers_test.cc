// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/layers/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "vigil/tools/layers/plain_name.h"

namespace vigil::tools::layers {
namespace {

using testing::HasSubstr;

report::Stack stack_of(const std::vector<std::string>& functions) {
  report::Stack stack;
  for (const std::string& function : functions) stack.emplace_back().function = function;
  return stack;
}

Layer layer_of(const std::vector<std::string>& functions,
               const std::vector<std::string>& created_at = {}) {
  return Rules::defaults().attribute(stack_of(functions), stack_of(created_at)).layer;
}

// One for each of the seven layers, in Go and in C++.
TEST(LayersTest, TheSevenLayersOfAGoService) {
  EXPECT_EQ(layer_of({"runtime.mapaccess1_faststr", "example.com/svc/cache.(*Users).Get",
                      "main.getUser", "net/http.HandlerFunc.ServeHTTP"}),
            Layer::kHttpHandler);
  EXPECT_EQ(layer_of({"runtime.mapassign_faststr", "github.com/gin-gonic/gin.(*Context).Set",
                      "main.getUser", "github.com/gin-gonic/gin.(*Context).Next"}),
            Layer::kRequestContext);
  EXPECT_EQ(layer_of({"runtime.mapassign_faststr", "example.com/svc/middleware.WithBag.func1",
                      "net/http.HandlerFunc.ServeHTTP"}),
            Layer::kMiddleware);
  EXPECT_EQ(
      layer_of({"runtime.mapassign_faststr", "example.com/svc/cache.(*Users).Put", "main.main"}),
      Layer::kApplicationCache);
  EXPECT_EQ(layer_of({"runtime.mapassign_faststr",
                      "github.com/prometheus/client_golang/prometheus.(*MetricVec).hashAdd",
                      "main.getUser", "net/http.HandlerFunc.ServeHTTP"}),
            Layer::kThirdPartySdk);
  EXPECT_EQ(layer_of({"runtime.mapdelete_faststr", "example.com/svc/cache.(*Users).Drop",
                      "example.com/svc/cron.CleanExpired"}),
            Layer::kTimerCron);
  EXPECT_EQ(layer_of({"runtime.mapassign_faststr", "main.init.0.func1"}), Layer::kInitialisation);
  EXPECT_EQ(layer_of({"runtime.gopark", "runtime.bgsweep"}), Layer::kRuntime);
}

TEST(LayersTest, TheSevenLayersOfACxxService) {
  EXPECT_EQ(layer_of({"std::unordered_map<int, int>::find(int const&)", "Users::get(int)",
                      "void boost::beast::http::async_read<Socket>(Socket&)"}),
            Layer::kHttpHandler);
  EXPECT_EQ(layer_of({"std::map<int, int>::operator[](int const&)",
                      "svc::RequestContext::set(std::string)", "svc::handle_request(int)"}),
            Layer::kRequestContext);
  EXPECT_EQ(layer_of({"svc::AuthMiddleware::before(int)", "svc::handle_request(int)"}),
            Layer::kMiddleware);
  EXPECT_EQ(
      layer_of({"std::map<int, int>::operator[](int const&)", "svc::UserCache::put(int)", "main"}),
      Layer::kApplicationCache);
  EXPECT_EQ(
      layer_of({"prometheus::Family<prometheus::Counter>::Add(int)", "svc::handle_request(int)"}),
      Layer::kThirdPartySdk);
  EXPECT_EQ(layer_of({"std::map<int, int>::erase(int const&)", "svc::UserCache::drop(int)",
                      "svc::Cleaner::run()"}),
            Layer::kTimerCron);
  EXPECT_EQ(layer_of({"svc::Registry::add(int)", "_GLOBAL__sub_I_registry.cc", "_dl_init"}),
            Layer::kInitialisation);
}

TEST(LayersTest, TheCreatorDecidesWhereTheStackDoesNot) {
  EXPECT_EQ(layer_of({"main.worker.func1"}, {"example.com/svc/cron.Start"}), Layer::kTimerCron);
  EXPECT_EQ(layer_of({"main.worker.func1"}, {"main.main"}), Layer::kApplication);
}

TEST(LayersTest, ThePlaceIsTheFirstFrameThatIsNoLibrary) {
  const Attribution found = Rules::defaults().attribute(
      stack_of({"runtime.fatal", "runtime.mapassign_faststr", "cache.(*Users).Put", "main.main"}));
  EXPECT_TRUE(found.has_place);
  EXPECT_EQ(found.place, 2U);
}

TEST(RulesTest, RulesOfTheUserComeFirst) {
  const std::string path = testing::TempDir() + "layers_test.toml";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("[[rule]]\nlayer = \"middleware\"\nfunctions = [\"*CleanExpired\"]\n", file);
  std::fclose(file);
  const Result<Rules> rules = Rules::with_defaults(path);
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(rules->attribute(stack_of({"cron.CleanExpired"})).layer, Layer::kMiddleware);
  EXPECT_EQ(rules->attribute(stack_of({"cron.Other"})).layer, Layer::kTimerCron);
  std::remove(path.c_str());
}

TEST(RulesTest, AnErrorNamesFileLineAndWhatIsAllowed) {
  const auto error_of = [](const std::string& text) {
    const Result<Rules> rules = Rules::parse(text, "my.toml");
    return rules ? std::string() : rules.error().message;
  };
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"cellar\"\n"),
              HasSubstr("my.toml:2:9: layer: expected one of \"application\", \"HTTP handler\""));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"middleware\"\n"), HasSubstr("neither functions nor"));
  EXPECT_THAT(error_of("[[rule]]\nfunctions = [\"a\"]\n"),
              HasSubstr("my.toml:1:1: layer: expected one of"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"runtime\"\nfunctions = \"a\"\n"),
              HasSubstr("my.toml:3:13: functions: expected an array"));
  EXPECT_THAT(error_of("[[rule]]\ncolour = 1\n"),
              HasSubstr("my.toml:2:10: colour: unknown key; known here: files, functions"));
  EXPECT_THAT(error_of("rules = 1\n"), HasSubstr("rules: unknown key; known here: rule"));
  EXPECT_THAT(error_of("[[rule]\n"), HasSubstr("my.toml:1:8: "));
}

TEST(FunctionNameTest, ShortNamesKeepClassAndMethod) {
  EXPECT_EQ(short_name("svc::store::Cache::put(int)"), "Cache::put");
  EXPECT_EQ(short_name("example.com/svc/cache.(*Users).Put"), "(*Users).Put");
  EXPECT_EQ(short_name("main"), "main");
}

TEST(FunctionNameTest, NonsenseIsLeftAlone) {
  for (const char* text : {"", "(", "<", "operator", "}{", "a<b(c", "((((", "::", "."}) {
    plain_name(text);
    short_name(text);
  }
}

TEST(PatternTest, NamesMatchInEitherCase) {
  EXPECT_TRUE(name_matches("*cron*", "example.com/Cron.Run"));
  EXPECT_FALSE(name_matches("std::*", "mystd::x"));
}

}  // namespace
}  // namespace vigil::tools::layers
