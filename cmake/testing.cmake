# SPDX-License-Identifier: Apache-2.0
#
# The programs that stand beside the code they exercise, one function per kind:
#
#   vigil_test(x_test MODULES cache)          x_test.cc, x_model_test.cc, x_stress_test.cc
#   vigil_fuzz(x_fuzz MODULES server)         x_fuzz.cc
#   vigil_bench(x_bench MODULES maps)         x_bench.cc
#
# MODULES are the modules whose headers (and those of their dependencies) the program may include;
# SOURCES and LINK add files and libraries. Names are unique in the build: where the file's own name
# is not, put the folder before it (http_parser_test in vigil/server/http is parser_test.cc).
include_guard(GLOBAL)
include(module)

if(VIGIL_TESTS)
  find_package(GTest REQUIRED)
  set(VIGIL_TEST_LINK GTest::gtest GTest::gmock GTest::gtest_main)
  # Templates and assertions by the thousand: what optimising them fully takes, no run gives back.
  # g++ judges bounds after inlining, and no longer knows of what comes precompiled that it is the
  # standard library's; the modules themselves are judged without that.
  set(VIGIL_TEST_OPTIONS $<$<NOT:$<CONFIG:Debug>>:-O1>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread>)
  # What every test includes, parsed once: a third of the time that compiling a test takes.
  vigil_program(test_headers SOURCES "${CMAKE_CURRENT_LIST_DIR}/test_headers.cc"
    LINK ${VIGIL_TEST_LINK})
  target_compile_options(test_headers PRIVATE ${VIGIL_TEST_OPTIONS})
  target_precompile_headers(test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <atomic>
    <functional> <optional> <sstream> <string> <thread> <unordered_map> <vector>)
endif()
if(VIGIL_BENCH)
  find_package(benchmark REQUIRED)
endif()

# Stop at the first finding, and make it a failure whatever the program does afterwards.
set(VIGIL_TEST_ENVIRONMENT "")
if(VIGIL_SANITIZE MATCHES "address")
  list(APPEND VIGIL_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1"
    "UBSAN_OPTIONS=print_stacktrace=1")
elseif(VIGIL_SANITIZE MATCHES "thread")
  list(APPEND VIGIL_TEST_ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
  # ThreadSanitizer 12 and 14 cannot map their shadow where newer kernels randomise addresses by
  # 32 bits; where the container permits it, tests run with fixed addresses.
  execute_process(COMMAND setarch -R true RESULT_VARIABLE setarch_result OUTPUT_QUIET ERROR_QUIET)
  if(setarch_result EQUAL 0)
    set(CMAKE_CROSSCOMPILING_EMULATOR setarch -R)
  endif()
  # Each test program runs under the gate: it passes if the program is instrumented, ran tests, met
  # no race and succeeded.
  if(VIGIL_GATE)
    list(PREPEND CMAKE_CROSSCOMPILING_EMULATOR
      "${VIGIL_GATE}" gate --stage unit --annotations never --)
  endif()
endif()

# The file that the program `name` of this folder is made of.
function(vigil_main_source name result)
  get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
  set(file "${name}.cc")
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    string(REGEX REPLACE "^${folder}_" "" file "${file}")
  endif()
  set(${result} "${file}" PARENT_SCOPE)
endfunction()

# Registers a test under the configuration's prefix: vigil_add_test(x_test unit 300 COMMAND x_test)
function(vigil_add_test name label timeout)
  set(full_name "${VIGIL_TEST_PREFIX}${name}")
  add_test(NAME ${full_name} ${ARGN})
  set_tests_properties(${full_name} PROPERTIES
    LABELS "${label}" TIMEOUT ${timeout} ENVIRONMENT "${VIGIL_TEST_ENVIRONMENT}")
endfunction()

# One GoogleTest program. The CTest label is the suffix of the name: test -> unit,
# model_test -> model, stress_test -> stress. TIMEOUT (seconds) bounds a hang, not the speed.
# DEFINITIONS are macros.
function(vigil_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "MODULES;SOURCES;LINK;DEFINITIONS;ARGS" ${ARGN})
  if(NOT VIGIL_TESTS)
    return()
  endif()
  vigil_main_source(${name} main)
  vigil_program(${name} MODULES ${T_MODULES} SOURCES ${main} ${T_SOURCES}
    LINK ${VIGIL_TEST_LINK} ${T_LINK})
  target_compile_options(${name} PRIVATE ${VIGIL_TEST_OPTIONS})
  if(T_DEFINITIONS)
    target_compile_definitions(${name} PRIVATE ${T_DEFINITIONS})
  else()
    # They could mean something else under other macros, so the compiler would refuse them.
    target_precompile_headers(${name} REUSE_FROM test_headers)
  endif()
  set(label unit)
  if(name MATCHES "_(model|stress)_test$")
    set(label ${CMAKE_MATCH_1})
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  vigil_add_test(${name} ${label} ${T_TIMEOUT} COMMAND ${name} ${T_ARGS})
endfunction()

# One fuzz target (LLVMFuzzerTestOneInput in x_fuzz.cc). With the preset fuzz it is a libFuzzer
# program in BUILD/fuzz; everywhere else a regression test that replays tests/fuzz/corpus/x_fuzz.
function(vigil_fuzz name)
  cmake_parse_arguments(F "" "" "MODULES;SOURCES;LINK" ${ARGN})
  vigil_main_source(${name} main)
  if(VIGIL_FUZZ)
    vigil_program(${name} MODULES ${F_MODULES} SOURCES ${main} ${F_SOURCES} LINK ${F_LINK})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  elseif(VIGIL_TESTS)
    vigil_program(${name} MODULES ${F_MODULES} LINK ${F_LINK}
      SOURCES ${main} "${PROJECT_SOURCE_DIR}/cmake/fuzz_replay.cc" ${F_SOURCES})
    vigil_add_test(${name} fuzz 300
      COMMAND ${name} "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
  endif()
endfunction()

# One Google Benchmark program; built, never run, by the tests.
function(vigil_bench name)
  cmake_parse_arguments(B "" "" "MODULES;SOURCES;LINK" ${ARGN})
  if(VIGIL_BENCH)
    vigil_program(${name} MODULES ${B_MODULES} SOURCES ${name}.cc ${B_SOURCES}
      LINK benchmark::benchmark benchmark::benchmark_main ${B_LINK})
  endif()
endfunction()
