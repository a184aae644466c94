// SPDX-License-Identifier: Apache-2.0
//
// SourceTree: the line of source behind a frame, and the map that it names. Go's reports carry no
// names of variables, and hide which operation it was; the line tells both:
//
//   return c.data[key]        reads c.data
//   delete(u.m, k)            erases from u.m
//   for _, v := range u.m {   iterates over u.m
//
// Files are looked for where the report says they are, and below the folder given, with as much of
// the path as fits: "/home/dev/svc/cache/users.go" is found as "DIR/cache/users.go".
//
// Thread safety: none. Memory: kFilesMax files of at most kFileBytesMax.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/report/report.h"

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

  // `folder` may be empty: only the paths of the reports.
  explicit SourceTree(std::string folder);

  // The line, without what indents it.
  std::optional<std::string> line(const std::string& file, int number);

 private:
  const std::vector<std::string>& lines_of(const std::string& file);
  [[nodiscard]] std::optional<std::string> find(const std::string& file) const;

  std::string folder_;
  std::map<std::string, std::vector<std::string>> files_;
};

}  // namespace vigil::tools::triage
