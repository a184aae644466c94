# vigil_module: one library per folder under vigil/, with its dependencies declared.
#
#   vigil_module(cache DEPS maps base SOURCES shard.cc HEADERS shard.h LINK xxhash)
#
# A module may include headers of itself and of the modules in DEPS, nothing else; the test
# `layers` reads the same declarations and rejects every other include.
include_guard(GLOBAL)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(VIGIL_TESTS "Build the tests" ON)
option(VIGIL_WERROR "Treat warnings as errors" OFF)
set(VIGIL_SANITIZE "" CACHE STRING "Value for -fsanitize= (address,undefined | thread)")
set(VIGIL_MARCH "x86-64-v2" CACHE STRING "Value for -march=")

find_program(VIGIL_CCACHE ccache)
if(VIGIL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${VIGIL_CCACHE}")
endif()

find_package(Threads REQUIRED)
if(VIGIL_TESTS)
  find_package(GTest REQUIRED)
endif()

add_library(vigil_options INTERFACE)
target_compile_options(vigil_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -march=${VIGIL_MARCH} -fno-omit-frame-pointer
  $<$<BOOL:${VIGIL_WERROR}>:-Werror>)
if(VIGIL_SANITIZE)
  target_compile_options(vigil_options INTERFACE -fsanitize=${VIGIL_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(vigil_options INTERFACE -fsanitize=${VIGIL_SANITIZE})
endif()
target_link_libraries(vigil_options INTERFACE Threads::Threads)

function(vigil_module name)
  cmake_parse_arguments(M "" "" "DEPS;SOURCES;HEADERS;LINK;PRIVATE_LINK" ${ARGN})
  string(REPLACE "/" "_" target "vigil_${name}")
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE vigil_options ${M_PRIVATE_LINK})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(vigil::${name} ALIAS ${target})
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include>)
  target_compile_features(${target} ${scope} cxx_std_20)
  foreach(dep IN LISTS M_DEPS)
    string(REPLACE "/" "_" dep_target "vigil_${dep}")
    target_link_libraries(${target} ${scope} ${dep_target})
  endforeach()
  target_link_libraries(${target} ${scope} ${M_LINK} Threads::Threads)
  set_property(GLOBAL APPEND PROPERTY VIGIL_LAYERS "${name}: ${M_DEPS}")
endfunction()

# vigil_test(x_model_test MODULES cache): one GoogleTest binary from x_model_test.cc; the CTest
# label is the suffix of the name (test -> unit, model_test -> model, stress_test -> stress).
function(vigil_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "MODULES;SOURCES;LINK;ARGS" ${ARGN})
  if(NOT VIGIL_TESTS)
    return()
  endif()
  add_executable(${name} ${name}.cc ${T_SOURCES})
  foreach(module IN LISTS T_MODULES)
    string(REPLACE "/" "_" target "vigil_${module}")
    target_link_libraries(${name} PRIVATE ${target})
  endforeach()
  target_link_libraries(${name} PRIVATE vigil_options GTest::gtest GTest::gmock GTest::gtest_main ${T_LINK})
  add_test(NAME ${name} COMMAND ${name} ${T_ARGS})
  set(label unit)
  if(name MATCHES "_(model|stress)_test$")
    set(label ${CMAKE_MATCH_1})
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${T_TIMEOUT})
endfunction()
