# SPDX-License-Identifier: Apache-2.0
#
# `cmake --install` and find_package(vigil): the library modules a user may link, as vigil::base,
# vigil::maps and vigil::cache. vigil_app() installs the binaries.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(VIGIL_PUBLIC_MODULES base maps cache)

function(vigil_install)
  set(package "${CMAKE_INSTALL_LIBDIR}/cmake/vigil")
  foreach(module IN LISTS VIGIL_PUBLIC_MODULES)
    install(TARGETS vigil_${module} EXPORT vigil FILE_SET HEADERS)
  endforeach()
  install(EXPORT vigil NAMESPACE vigil:: FILE vigil-targets.cmake DESTINATION "${package}")
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/vigil-config.cmake.in"
    "${PROJECT_BINARY_DIR}/vigil-config.cmake" INSTALL_DESTINATION "${package}")
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/vigil-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
  install(FILES
    "${PROJECT_BINARY_DIR}/vigil-config.cmake" "${PROJECT_BINARY_DIR}/vigil-config-version.cmake"
    DESTINATION "${package}")
  install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
    DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endfunction()
