# SPDX-License-Identifier: Apache-2.0
#
# What a target that links vigil::race gets: instrumented code and, if it is a program, the race
# runtime. Used by the build of vigil itself and, installed, by find_package(vigil). It says the
# same as `vigil race cxx` (vigil/tools/race/compiler.cc says why each option is there).
include_guard(GLOBAL)

# Gives the INTERFACE library `target` the runtime in the file `archive`.
function(vigil_race_usage target archive)
  set(gnu "$<OR:$<COMPILE_LANG_AND_ID:C,GNU>,$<COMPILE_LANG_AND_ID:CXX,GNU>>")
  target_compile_options(${target} INTERFACE -fsanitize=thread -g -U_FORTIFY_SOURCE
    "$<${gnu}:-fno-builtin-memcpy;-fno-builtin-memmove;-fno-builtin-memset;-Wno-tsan>")
  set(type "$<TARGET_PROPERTY:TYPE>")
  set(program "$<STREQUAL:${type},EXECUTABLE>")
  set(library "$<OR:$<STREQUAL:${type},SHARED_LIBRARY>,$<STREQUAL:${type},MODULE_LIBRARY>>")
  target_link_options(${target} INTERFACE
    "$<${program}:-rdynamic>" "$<${library}:-Wl,-z,undefs>")
  target_link_libraries(${target} INTERFACE
    "$<${program}:-Wl,--whole-archive,${archive},--no-whole-archive>"
    "$<${program}:-Wl,--push-state,--as-needed,-latomic,--pop-state>"
    "$<${program}:${CMAKE_DL_LIBS}>" Threads::Threads)
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_DEPENDS "${archive}")
endfunction()
