# SPDX-License-Identifier: Apache-2.0
#
# How every target of this project is compiled: the language level, the warnings, the sanitizers
# and the options a user may set. Targets get them by linking `vigil_options`.
include_guard(GLOBAL)

option(VIGIL_TESTS "Build the tests" ON)
option(VIGIL_BENCH "Build the x_bench programs (needs Google Benchmark)" OFF)
option(VIGIL_FUZZ "Build the x_fuzz programs with libFuzzer (clang; preset fuzz)" OFF)
option(VIGIL_TIDY_ALL "Let the test tidy look at every file, not at what changed only" OFF)
option(VIGIL_WERROR "Treat warnings as errors" OFF)
set(VIGIL_SANITIZE "" CACHE STRING "Value for -fsanitize= (address,undefined | thread)")
set(VIGIL_GATE "" CACHE FILEPATH "A vigil whose gate runs the tests of a ThreadSanitizer build")
set(VIGIL_TEST_PREFIX "" CACHE STRING "Put before every test name, to tell configurations apart")
# x86-64-v2 (2009 and later) brings SSE4.2 and POPCNT; raise it for machines known to have more.
set(VIGIL_MARCH "x86-64-v2" CACHE STRING "Value for -march=")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(VIGIL_CCACHE ccache)
if(VIGIL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${VIGIL_CCACHE}")
endif()

find_package(Threads REQUIRED)

add_library(vigil_options INTERFACE)
target_compile_options(vigil_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -march=${VIGIL_MARCH} -fno-omit-frame-pointer
  # g++'s -Wconversion leaves changes of sign alone in C++, clang's does not: one rule for both.
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wno-sign-conversion>
  $<$<BOOL:${VIGIL_WERROR}>:-Werror>)
if(VIGIL_SANITIZE)
  target_compile_options(vigil_options INTERFACE
    -fsanitize=${VIGIL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(vigil_options INTERFACE -fsanitize=${VIGIL_SANITIZE})
  target_compile_options(vigil_options INTERFACE $<$<CXX_COMPILER_ID:Clang>:
    -fsanitize-ignorelist=${CMAKE_CURRENT_LIST_DIR}/sanitizer_ignore.txt>)
  # g++ judges these after the sanitizer rewrote the code and finds what is not there; the preset
  # dev judges the same code without it.
  target_compile_options(vigil_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:
    -Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
    -Wno-stringop-overread>)
endif()
target_link_libraries(vigil_options INTERFACE Threads::Threads)
