# SPDX-License-Identifier: Apache-2.0
#
# Xxhash::headers: the header of xxHash, all of which is compiled into its users (XXH_INLINE_ALL):
# there is nothing to link. Installed beside vigil-config.cmake, which looks for it as well.
find_path(XXHASH_INCLUDE_DIR xxhash.h DOC "the folder of xxhash.h (Debian: libxxhash-dev)")
mark_as_advanced(XXHASH_INCLUDE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xxhash REQUIRED_VARS XXHASH_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "vigil needs xxhash.h (Debian: libxxhash-dev)")

if(Xxhash_FOUND AND NOT TARGET Xxhash::headers)
  add_library(Xxhash::headers INTERFACE IMPORTED GLOBAL)
  set_target_properties(Xxhash::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")
endif()
