# SPDX-License-Identifier: Apache-2.0
#
# `cmake --install` and find_package(vigil): the library modules a user may link, as vigil::base,
# vigil::thread_dump, vigil::maps, vigil::cache and vigil::orders, and the race runtime, as
# vigil::race. vigil_app() installs the binaries.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(VIGIL_PUBLIC_MODULES base table stacks thread_dump maps cache orders)

function(vigil_install)
  set(package "${CMAKE_INSTALL_LIBDIR}/cmake/vigil")
  foreach(module IN LISTS VIGIL_PUBLIC_MODULES)
    install(TARGETS vigil_${module} EXPORT vigil FILE_SET HEADERS)
  endforeach()
  install(EXPORT vigil NAMESPACE vigil:: FILE vigil-targets.cmake DESTINATION "${package}")
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/vigil-config.cmake.in"
    "${PROJECT_BINARY_DIR}/vigil-config.cmake" INSTALL_DESTINATION "${package}"
    PATH_VARS CMAKE_INSTALL_LIBDIR)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/vigil-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/vigil-config.cmake" "${PROJECT_BINARY_DIR}/vigil-config-version.cmake"
    DESTINATION "${package}")
  # An archive that is linked as a whole: vigil-race.cmake says how.
  if(TARGET vigil_race_rt)
    install(FILES "$<TARGET_FILE:vigil_race_rt>" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(FILES "${PROJECT_SOURCE_DIR}/cmake/vigil-race.cmake" DESTINATION "${package}")
  endif()
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endfunction()
