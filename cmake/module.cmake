# SPDX-License-Identifier: Apache-2.0
#
# vigil_module: one library per folder under vigil/, with its dependencies declared.
#
#   vigil_module(cache DEPS maps base SOURCES shard.cc HEADERS shard.h LINK ZLIB::ZLIB)
#
# A module may include headers of itself and of the modules in DEPS, nothing else: the test
# `layers` reads the same declarations and rejects every other include. HEADERS names every header
# of the folder: each must compile on its own (target all_verify_interface_header_sets). LINK goes
# to users of the module as well, PRIVATE_LINK does not.
include_guard(GLOBAL)
include(options)

set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

# The library target of module `name` (maps/testing -> vigil_maps_testing).
function(vigil_target_of name result)
  string(REPLACE "/" "_" target "vigil_${name}")
  set(${result} ${target} PARENT_SCOPE)
endfunction()

# Records for the test `layers` (tests/layers/check_layers.py explains the kinds).
function(vigil_declare_layer kind name)
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  list(JOIN ARGN " " names)
  set_property(GLOBAL APPEND PROPERTY VIGIL_LAYERS "${kind} ${folder} ${name}: ${names}")
endfunction()

# Writes the declarations of all modules and tests to `file`, one per line.
function(vigil_write_layers file)
  get_property(layers GLOBAL PROPERTY VIGIL_LAYERS)
  list(JOIN layers "\n" text)
  file(WRITE "${file}" "${text}\n")
endfunction()

function(vigil_module name)
  cmake_parse_arguments(M "" "" "DEPS;SOURCES;HEADERS;LINK;PRIVATE_LINK" ${ARGN})
  vigil_target_of(${name} target)
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:vigil_options> ${M_PRIVATE_LINK})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  string(REPLACE "/" "_" alias "${name}")
  add_library(vigil::${alias} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${alias} VIGIL_DEPS "${M_DEPS}")
  target_sources(${target} ${scope}
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${M_HEADERS})
  target_compile_features(${target} ${scope} cxx_std_20)
  foreach(dep IN LISTS M_DEPS)
    vigil_target_of(${dep} dep_target)
    target_link_libraries(${target} ${scope} ${dep_target})
  endforeach()
  target_link_libraries(${target} ${scope} ${M_LINK} Threads::Threads)
  vigil_declare_layer(module ${name} ${M_DEPS})
  vigil_declare_layer(headers ${name} ${M_HEADERS})
endfunction()

# An executable that uses MODULES (and may include what those depend on) and LINK.
function(vigil_program name)
  cmake_parse_arguments(P "" "" "MODULES;SOURCES;LINK" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  foreach(module IN LISTS P_MODULES)
    vigil_target_of(${module} target)
    target_link_libraries(${name} PRIVATE ${target})
  endforeach()
  target_link_libraries(${name} PRIVATE vigil_options ${P_LINK})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  foreach(source IN LISTS P_SOURCES)
    vigil_declare_layer(source ${source} ${P_MODULES})
  endforeach()
endfunction()

# A product binary, in the root of the build folder and in PREFIX/bin; SOURCES names its headers
# too:
#
#   vigil_app(vigild MODULES server SOURCES vigild_main.cc demo.cc demo.h)
function(vigil_app name)
  vigil_program(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  install(TARGETS ${name})
endfunction()
