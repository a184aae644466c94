// SPDX-License-Identifier: Apache-2.0
//
// SourceTree: the line of source behind a frame, and the map that it names. Go's reports carry no
// names of variables, and hide which operation it was; the line tells both:
//
//   return c.data[key]        reads c.data
//   delete(u.m, k)            erases from u.m
//   for _, v := range u.m {   iterates over u.m
//
// Files are read from one folder only, whatever the report says
// (vigil/tools/input/project_folder.h). In a folder that was given they are found with as much of
// the path as fits:
// "/home/dev/svc/cache/users.go" is "DIR/cache/users.go". Without one it is the project's folder,
// and they are found where the report says they are.
//
// Thread safety: none. Memory: kFilesMax files of at most kFileBytesMax. Time: after kTimeMax no
// other file is looked for.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/input/project_folder.h"

namespace vigil::tools::triage {

struct SourceAccess {
  std::string object;                                         // "c.data"
  report::Operation operation = report::Operation::kUnknown;  // kUnknown: the line does not tell
};

// What a line of Go or C++ does to a map; nothing if it names none.
std::optional<SourceAccess> access_in(std::string_view source_line);

class SourceTree {
 public:
  static constexpr std::size_t kFilesMax = 256;
  static constexpr std::size_t kFileBytesMax = std::size_t{4} << 20;
  static constexpr std::size_t kFoldersMax = 32;  // of a path that are left out one by one
  static constexpr std::chrono::seconds kTimeMax{5};

  // `folder` may be empty: the project's.
  explicit SourceTree(const std::string& folder);

  [[nodiscard]] const input::ProjectFolder& project() const { return project_; }

  // The line, without what indents it.
  std::optional<std::string> line(const std::string& file, int number);

 private:
  const std::vector<std::string>& lines_of(const std::string& file);
  // The content of the file.
  [[nodiscard]] std::optional<std::string> find(const std::string& file) const;

  input::ProjectFolder project_;
  bool takes_tails_;
  std::chrono::steady_clock::duration spent_{};
  std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace vigil::tools::triage
