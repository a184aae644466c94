// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/source_paths.h"

#include <cstddef>
#include <optional>
#include <utility>

namespace vigil::tools::gate {

namespace fs = std::filesystem;

// A deeper name in a log is not one of this repository; each costs a look at the disk.
constexpr std::size_t kFoldersMax = 32;

std::string SourcePaths::relative(const std::string& file) const {
  if (project_.path().empty() || file.empty()) return file;
  auto [position, is_new] = known_.try_emplace(file);
  if (is_new) position->second = look_up(file);
  return position->second;
}

std::string SourcePaths::look_up(const std::string& file) const {
  std::string text = fs::path(file).lexically_normal().generic_string();
  if (!text.starts_with('/')) return text;
  if (std::optional<std::string> below = project_.below(text)) return *std::move(below);
  std::size_t folders = 0;
  for (std::size_t slash = text.find('/'); slash != std::string::npos && folders < kFoldersMax;
       slash = text.find('/', slash + 1), ++folders) {
    std::string tail = text.substr(slash + 1);
    if (project_.holds(tail)) return tail;
  }
  return text;
}

}  // namespace vigil::tools::gate
