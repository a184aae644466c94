// SPDX-License-Identifier: Apache-2.0
//
// ProjectFolder: the files of a project that a log or a report names. Anybody may have written that
// name, so it never leads out of the folder, neither by ".." nor by a symbolic link nor by a link
// of /proc, and never to anything but a regular file.
//
//   const ProjectFolder project(project_root(options.source));
//   if (const auto path = project.below("/home/ci/svc/cache.cc")) use(project.read(*path, kMax));
//
// Thread safety: const functions may be called from several threads.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace vigil::tools::input {

// The checkout that the CI system names, else the repository that the working folder lies in, else
// the working folder; `given`, if it is not empty, before all of them.
[[nodiscard]] std::filesystem::path project_root(const std::string& given);

class ProjectFolder {
 public:
  // Holds nothing if there is no such folder.
  explicit ProjectFolder(std::filesystem::path path);
  ~ProjectFolder();
  ProjectFolder(const ProjectFolder&) = delete;
  ProjectFolder& operator=(const ProjectFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // The name as seen from the folder; nothing if it is absolute and not below it, or leads out.
  // Says nothing about whether there is such a file.
  [[nodiscard]] std::optional<std::string> below(const std::string& file) const;

  // Whether it is a regular file. Here and below, `relative` as from below().
  [[nodiscard]] bool holds(const std::string& relative) const;
  // Its content; nothing if it is empty (as files of /proc are), too large or cannot be read.
  [[nodiscard]] std::optional<std::string> read(const std::string& relative,
                                                std::size_t bytes_max) const;

 private:
  std::filesystem::path path_;
  int folder_;
};

}  // namespace vigil::tools::input
