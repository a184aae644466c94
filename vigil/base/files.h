// SPDX-License-Identifier: Apache-2.0
//
// Whole files: read at once with a limit, written at once or not at all.
//
//   Result<std::string> text = read_file("gate.toml");
//   if (!text) return text.error();       // "gate.toml: cannot be read: No such file or directory"
//   return write_file("report.json", json);
//
// Use when: a document is small enough to be held in memory. Use instead: a stream of one's own for
// logs, which may have any size.
//
// Thread safety: pure functions of the file system. A reader of a written file sees the old content
// or the new, never a part, also if the machine stops in between. Errors begin with the path.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil {

inline constexpr std::size_t kFileBytesMax = std::size_t{256} << 20;
// Of what people write: a policy, rules, suppressions.
inline constexpr std::size_t kConfigurationBytesMax = std::size_t{128} << 20;

// Pipes and devices are read to their end.
[[nodiscard]] Result<std::string> read_file(const std::string& path,
                                            std::size_t bytes_max = kFileBytesMax);

// Puts a new file in the place of the old one, with the old one's permissions; a symbolic link
// stays and its target is replaced. What is no regular file (/dev/stdout, a pipe, a link to
// nothing), or stands in a folder that takes no new file, is written in place. A signal that ends
// the program (SIGHUP, SIGINT, SIGTERM, SIGQUIT) waits until a regular file is written.
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view content);

// Adds to the end of the file, which is made if there is none; all of the content or nothing,
// unless another program adds to it at the same time.
[[nodiscard]] Result<void> append_file(const std::string& path, std::string_view content);

}  // namespace vigil
