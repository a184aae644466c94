// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/source_paths.h"

#include <cstddef>
#include <system_error>

namespace vigil::tools::gate {

namespace fs = std::filesystem;

// A deeper name in a log is not one of this repository; each costs a look at the disk.
constexpr std::size_t kFoldersMax = 32;

std::string SourcePaths::relative(const std::string& file) const {
  if (root_.empty() || file.empty()) return file;
  auto [position, is_new] = known_.try_emplace(file);
  if (is_new) position->second = look_up(file);
  return position->second;
}

std::string SourcePaths::look_up(const std::string& file) const {
  const fs::path path = fs::path(file).lexically_normal();
  if (path.is_relative()) return path.generic_string();
  const fs::path below = path.lexically_relative(root_);
  if (!below.empty() && *below.begin() != "..") return below.generic_string();
  std::string text = path.generic_string();
  std::size_t folders = 0;
  for (std::size_t slash = text.find('/'); slash != std::string::npos && folders < kFoldersMax;
       slash = text.find('/', slash + 1), ++folders) {
    std::error_code error;
    if (fs::is_regular_file(root_ / text.substr(slash + 1), error)) return text.substr(slash + 1);
  }
  return text;
}

}  // namespace vigil::tools::gate
