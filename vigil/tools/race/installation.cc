// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/installation.h"

#include <array>
#include <cstdlib>
#include <string>

namespace vigil::tools::race {

namespace fs = std::filesystem;

fs::path own_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

Result<fs::path> find_runtime(const fs::path& program) {
  static constexpr const char* kName = "libvigil_race.a";
  if (const char* given = std::getenv("VIGIL_RACE_RUNTIME"); given != nullptr && *given != 0)
    return fs::path(given);
  const fs::path folder = program.parent_path();
  const fs::path prefix = folder.parent_path();
  const std::array<fs::path, 3> places = {folder / kName, prefix / VIGIL_INSTALL_LIBDIR / kName,
                                          prefix / "lib" / kName};
  for (const fs::path& place : places) {
    std::error_code error;
    if (fs::is_regular_file(place, error)) return place;
  }
  return Error{"the race runtime " + std::string(kName) + " is neither beside " + program.string() +
               " nor in " + places[1].parent_path().string() +
               "; build or install vigil as a whole, or name the file by VIGIL_RACE_RUNTIME"};
}

}  // namespace vigil::tools::race
