// SPDX-License-Identifier: Apache-2.0
//
// SourcePaths: file names as CI systems want them, relative to the root of the repository.
//
// A name below the root loses the root. Any other absolute name (the log may come from another
// machine or container) loses its leading folders one by one until what is left names a file below
// the root. A name for which that fails stays as it is.
//
// Thread safety: none (it remembers what it looked up).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include "vigil/tools/input/project_folder.h"

namespace vigil::tools::gate {

class SourcePaths {
 public:
  // Empty: file names stay as they are.
  explicit SourcePaths(std::filesystem::path root) : project_(std::move(root)) {}

  [[nodiscard]] std::string relative(const std::string& file) const;

 private:
  [[nodiscard]] std::string look_up(const std::string& file) const;

  input::ProjectFolder project_;
  mutable std::unordered_map<std::string, std::string> known_;
};

}  // namespace vigil::tools::gate
