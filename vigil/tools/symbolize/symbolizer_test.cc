// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/symbolize/symbolizer.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "vigil/tools/symbolize/readable_name.h"

namespace vigil::tools {
namespace {

const std::string kWitness = VIGIL_WITNESS_SOURCE;

// What the witness says about itself.
struct Testimony {
  std::vector<Module> modules;
  std::vector<std::uint64_t> return_addresses;
  std::uint64_t data = 0;
};

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), &pclose);
  std::string text;
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe.get())) != EOF;) {
    text.push_back(static_cast<char>(c));
  }
  return text;
}

Testimony testimony_of(const std::string& program) {
  Testimony testimony;
  std::istringstream lines(output_of(program));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    Module module;
    std::uint64_t address = 0;
    words >> kind >> std::hex;
    if (kind == "module") {
      words >> module.begin >> module.end >> module.bias >> module.path;
      if (testimony.modules.empty()) module.path = program;
      testimony.modules.push_back(module);
    } else if (words >> address) {
      if (kind == "return") testimony.return_addresses.push_back(address);
      if (kind == "data") testimony.data = address;
    }
  }
  return testimony;
}

int line_of(const std::string& marker) {
  std::ifstream source(kWitness);
  int number = 1;
  for (std::string line; std::getline(source, line); ++number) {
    if (line.find("// marker: " + marker) != std::string::npos) return number;
  }
  return -1;
}

// One witness for each compiler and its flags, compiled when a test first asks for it.
class Witnesses : public testing::Environment {
 public:
  void SetUp() override {
    folder_ = testing::TempDir() + "symbolizer_test_" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const Testimony& of(const std::string& command) {
    const auto [entry, is_new] = testimonies_.try_emplace(command);
    if (!is_new) return entry->second;
    const std::string program = folder_ + "/" + std::to_string(testimonies_.size()) + "/witness";
    std::filesystem::create_directories(std::filesystem::path(program).parent_path());
    const std::string compile = command + " -std=c++20 -o " + program + " " + kWitness;
    if (std::system(compile.c_str()) == 0) entry->second = testimony_of(program);
    return entry->second;
  }

 private:
  std::string folder_;
  std::map<std::string, Testimony> testimonies_;
};

Witnesses& witnesses() {
  static auto* const environment = new Witnesses;  // GoogleTest deletes it
  return *environment;
}

testing::Environment* const kRegistered = testing::AddGlobalTestEnvironment(&witnesses());

// A compiler of this machine and its flags.
class SymbolizerTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string command = GetParam();
    const std::string compiler = command.substr(0, command.find(' '));
    if (output_of("command -v " + compiler).empty()) GTEST_SKIP() << compiler << " is missing";
    testimony_ = witnesses().of(command);
    ASSERT_EQ(testimony_.return_addresses.size(), 3u);
    symbolizer_ = std::make_unique<Symbolizer>(testimony_.modules);
  }

  report::Stack frames(std::size_t call) {
    return symbolizer_->stack_of({&testimony_.return_addresses[call], 1});
  }

  static void expect_frame(const report::Frame& frame, const std::string& function,
                           const std::string& marker, bool inlined) {
    EXPECT_EQ(frame.function, function);
    EXPECT_TRUE(frame.file.ends_with("testing/witness.cc")) << frame.file;
    EXPECT_EQ(frame.line, line_of(marker)) << function;
    EXPECT_EQ(frame.inlined, inlined) << function;
    EXPECT_TRUE(frame.module.ends_with("/witness")) << frame.module;
    EXPECT_GT(frame.address, 0u);
    EXPECT_LT(frame.address, 0x500000u);
  }

  Testimony testimony_;
  std::unique_ptr<Symbolizer> symbolizer_;
};

using WithDebugInfo = SymbolizerTest;

TEST_P(WithDebugInfo, AnInlinedCallIsAFrameOfItsOwn) {
  const report::Stack stack = frames(0);
  ASSERT_EQ(stack.size(), 2u);
  expect_frame(stack[0], "shop::Cache::touch", "inside touch", true);
  expect_frame(stack[1], "shop::Cache::update<int>", "inside update", false);
}

TEST_P(WithDebugInfo, ALambdaIsNamedByTheFunctionAroundIt) {
  const report::Stack stack = frames(1);
  ASSERT_EQ(stack.size(), 1u);
  EXPECT_TRUE(stack[0].function.ends_with("::operator()")) << stack[0].function;
  EXPECT_NE(stack[0].function.find("visit"), std::string::npos) << stack[0].function;
  expect_frame(stack[0], stack[0].function, "end of lambda", false);
}

TEST_P(WithDebugInfo, AFunctionOfAnAnonymousNamespaceHasItsName) {
  const report::Stack stack = frames(2);
  ASSERT_EQ(stack.size(), 1u);
  expect_frame(stack[0], "(anonymous namespace)::visit", "end of visit", false);
}

TEST_P(WithDebugInfo, AMapInsideAnArrayInsideAGlobalIsNamedByItsPath) {
  const std::optional<report::Location> location = symbolizer_->global_at(testimony_.data);
  ASSERT_TRUE(location.has_value());
  EXPECT_EQ(location->object, "shop::warehouse.shelves[2].prices");
  EXPECT_EQ(location->type, "std::map<int, char>");
  EXPECT_EQ(location->address, testimony_.data);
  EXPECT_EQ(location->kind, report::Location::Kind::kGlobal);
}

TEST_P(WithDebugInfo, ALibraryFunctionHasItsPublicName) {
  // From the library itself: a sanitizer puts its own function in front.
  const auto function =
      reinterpret_cast<std::uint64_t>(dlsym(dlopen("libc.so.6", RTLD_NOLOAD | RTLD_NOW), "fopen"));
  Module libc;
  for (const Module& module : testimony_.modules) {
    if (module.path.find("libc.so") != std::string::npos) libc = module;
  }
  ASSERT_FALSE(libc.path.empty());
  // This process has its own copy of the library elsewhere.
  Dl_info own;
  ASSERT_NE(dladdr(reinterpret_cast<void*>(function), &own), 0);
  const std::uint64_t offset = function - reinterpret_cast<std::uint64_t>(own.dli_fbase);
  const report::Stack& stack = symbolizer_->frames_at(libc.bias + offset + 1);
  EXPECT_EQ(stack.back().function, "fopen");
  EXPECT_EQ(stack.back().module, libc.path);
}

INSTANTIATE_TEST_SUITE_P(Compilers, WithDebugInfo,
                         testing::Values("g++ -g -O0", "g++ -g -O2 -no-pie", "g++ -gdwarf-4 -O2",
                                         "clang++ -g -O0 -no-pie", "clang++ -g -O2",
                                         "clang++-19 -g -O2"));

using WithoutDebugInfo = SymbolizerTest;

TEST_P(WithoutDebugInfo, AFunctionHasItsSymbol) {
  const report::Stack stack = frames(0);
  ASSERT_EQ(stack.size(), 1u);
  EXPECT_EQ(stack[0].function, "shop::Cache::update<int>");
  EXPECT_EQ(stack[0].line, 0);
  EXPECT_EQ(symbolizer_->global_at(testimony_.data)->object, "shop::warehouse");
}

INSTANTIATE_TEST_SUITE_P(Compilers, WithoutDebugInfo, testing::Values("g++ -O2"));

using Stripped = SymbolizerTest;

TEST_P(Stripped, ModuleAndOffsetRemain) {
  const report::Stack stack = frames(0);
  ASSERT_EQ(stack.size(), 1u);
  EXPECT_EQ(stack[0].function, "");
  EXPECT_TRUE(stack[0].module.ends_with("/witness"));
  EXPECT_EQ(stack[0].address, testimony_.return_addresses[0] - 1 - testimony_.modules[0].bias);
  EXPECT_FALSE(symbolizer_->global_at(testimony_.data).has_value());
}

INSTANTIATE_TEST_SUITE_P(Compilers, Stripped, testing::Values("g++ -O2 -s"));

TEST(SymbolizerWithoutFileTest, ModuleAndOffsetOfAMissingFileRemain) {
  const std::vector<Module> modules = {
      {"/nowhere/app", 0x7f0000000000, 0x7f0000010000, 0x7f0000000000}};
  Symbolizer symbolizer(modules);
  const report::Stack& stack = symbolizer.frames_at(0x7f0000001234);
  ASSERT_EQ(stack.size(), 1u);
  EXPECT_EQ(stack[0].module, "/nowhere/app");
  EXPECT_EQ(stack[0].address, 0x1234u);
  EXPECT_EQ(symbolizer.frames_at(0x10).front().module, "");
}

TEST(FunctionNameTest, DefaultsParametersAndReturnTypesAreLeftOut) {
  EXPECT_EQ(tidy_name("std::unordered_map<int, User, std::hash<int>, std::equal_to<int>, "
                      "std::allocator<std::pair<int const, User> > >"),
            "std::unordered_map<int, User>");
  EXPECT_EQ(tidy_name("std::map<std::__cxx11::basic_string<char, std::char_traits<char>, "
                      "std::allocator<char> >, int, Less, std::allocator<std::pair<std::__cxx11::"
                      "basic_string<char, std::char_traits<char>, std::allocator<char> > const, "
                      "int> > >"),
            "std::map<std::string, int, Less>");
  EXPECT_EQ(tidy_name("std::map<long unsigned int, std::array<char, 4ul>, Less>"),
            "std::map<unsigned long, std::array<char, 4>, Less>");
  EXPECT_EQ(tidy_name("std::_Hashtable<int, std::pair<int const, User>, X>::find"),
            "std::_Hashtable<int, ...>::find");
  EXPECT_EQ(function_name("_ZN5Cache3getERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"),
            "Cache::get");
  EXPECT_EQ(function_name("_ZN4shop5Cache6updateIiEEvT_"), "shop::Cache::update<int>");
  EXPECT_EQ(function_name("_ZNK3FoocvbEv"), "Foo::operator bool");
  EXPECT_EQ(function_name("_ZlsRSoRK3Foo"), "operator<<");
  EXPECT_EQ(function_name("_ZN3FooclEi"), "Foo::operator()");
  EXPECT_EQ(function_name("_ZZ4mainENKUliE_clEi"), "main::{lambda(int)#1}::operator()");
  EXPECT_EQ(function_name("_ZN12_GLOBAL__N_13runEv.cold"), "(anonymous namespace)::run");
  EXPECT_EQ(function_name("fopen@@GLIBC_2.2.5"), "fopen");
  EXPECT_EQ(function_name("main"), "main");
  EXPECT_EQ(function_name("main.cold"), "main");
  EXPECT_EQ(function_name("serve.constprop.0.isra.0"), "serve");
  EXPECT_EQ(function_name("__GI_abort"), "abort");
}

TEST(FunctionNameTest, NamesOfCAreNoTypes) {
  for (const std::string name : {"a", "i", "x", "d", "St", "Pc", "_Y", "v@@V1"}) {
    const std::string expected = name.substr(0, name.find('@'));
    EXPECT_EQ(symbol_name(name.c_str()), expected);
    EXPECT_EQ(function_name(name.c_str()), expected);
  }
}

TEST(FunctionNameTest, BrokenNamesStayAsTheyAre) {
  for (const std::string name : {"a<b", "a>b", "f(", "f)", ">>>", "operator", "x<y(>", ""}) {
    EXPECT_EQ(tidy_name(name), name);
  }
  const std::string deep(5000, '<');
  EXPECT_EQ(tidy_name(deep), deep);
}

}  // namespace
}  // namespace vigil::tools
