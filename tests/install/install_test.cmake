# SPDX-License-Identifier: Apache-2.0
#
# cmake -DBUILD_DIR= -DWORK_DIR= -DCONSUMER_DIR= -DRACY_DIR= -DCXX_COMPILER= -P install_test.cmake
set(prefix "${WORK_DIR}/prefix")
set(consumer_build "${WORK_DIR}/consumer")
set(racy_build "${WORK_DIR}/racy")
file(REMOVE_RECURSE "${WORK_DIR}")

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${prefix}")
run("${CMAKE_COMMAND}" -S "${CONSUMER_DIR}" -B "${consumer_build}" -G Ninja
  "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}")
run("${CMAKE_COMMAND}" --build "${consumer_build}")
run("${consumer_build}/consumer")

# The race runtime: the project's race is found by the installed command.
run("${CMAKE_COMMAND}" -S "${RACY_DIR}" -B "${racy_build}" -G Ninja
  "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_CXX_COMPILER=${CXX_COMPILER}")
run("${CMAKE_COMMAND}" --build "${racy_build}")
execute_process(COMMAND "${prefix}/bin/vigil" race run -- "${racy_build}/racy"
  OUTPUT_VARIABLE report RESULT_VARIABLE result COMMAND_ECHO STDOUT ECHO_OUTPUT_VARIABLE)
if(NOT result EQUAL 1 OR NOT report MATCHES "data race on 'requests'.*statistics.cc:6")
  message(FATAL_ERROR "the race was not found (exit ${result})")
endif()

# And without CMake: the compiler command finds the installed runtime.
run("${prefix}/bin/vigil" race cxx "${RACY_DIR}/racy.cc" "${RACY_DIR}/statistics.cc"
  -o "${WORK_DIR}/racy_program")
execute_process(COMMAND "${prefix}/bin/vigil" race run -- "${WORK_DIR}/racy_program"
  OUTPUT_QUIET RESULT_VARIABLE result)
if(NOT result EQUAL 1)
  message(FATAL_ERROR "the program of `vigil race cxx` shows no race (exit ${result})")
endif()
