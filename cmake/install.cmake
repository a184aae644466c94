# SPDX-License-Identifier: Apache-2.0
#
# `cmake --install`, find_package(vigil) and pkg-config: the library modules a user may link, as
# vigil::base, vigil::thread_dump, vigil::maps, vigil::cache and vigil::orders (vigil-base ... for
# pkg-config), and the race runtime, as vigil::race. vigil_app() installs the binaries;
# `cmake --install BUILD --component library` only what is said here of the modules.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(VIGIL_PUBLIC_MODULES base table stacks thread_dump maps cache orders)

# lib/pkgconfig/vigil-MODULE.pc, which finds its prefix by where it lies.
function(vigil_install_pkg_config module)
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  get_target_property(deps vigil_${module} VIGIL_DEPS)
  list(TRANSFORM deps PREPEND "vigil-")
  list(JOIN deps ", " requires)
  get_target_property(type vigil_${module} TYPE)
  set(libs "")
  if(NOT type STREQUAL INTERFACE_LIBRARY)
    set(libs "-L\${libdir} -lvigil_${module} ")
  endif()
  set(file "${PROJECT_BINARY_DIR}/pkgconfig/vigil-${module}.pc")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/vigil-module.pc.in" "${file}" @ONLY)
  install(FILES "${file}" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT library)
endfunction()

function(vigil_install)
  set(package "${CMAKE_INSTALL_LIBDIR}/cmake/vigil")
  foreach(module IN LISTS VIGIL_PUBLIC_MODULES)
    install(TARGETS vigil_${module} EXPORT vigil
      ARCHIVE COMPONENT library
      FILE_SET HEADERS COMPONENT library)
    vigil_install_pkg_config(${module})
  endforeach()
  install(EXPORT vigil NAMESPACE vigil:: FILE vigil-targets.cmake DESTINATION "${package}"
    COMPONENT library)
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/vigil-config.cmake.in"
    "${PROJECT_BINARY_DIR}/vigil-config.cmake" INSTALL_DESTINATION "${package}"
    PATH_VARS CMAKE_INSTALL_LIBDIR)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/vigil-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/vigil-config.cmake" "${PROJECT_BINARY_DIR}/vigil-config-version.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindXxhash.cmake"
    DESTINATION "${package}" COMPONENT library)
  # An archive that is linked as a whole: vigil-race.cmake says how.
  if(TARGET vigil_race_rt)
    install(FILES "$<TARGET_FILE:vigil_race_rt>" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(FILES "${PROJECT_SOURCE_DIR}/cmake/vigil-race.cmake" DESTINATION "${package}")
  endif()
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endfunction()
