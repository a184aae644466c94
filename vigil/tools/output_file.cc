// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/output_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "vigil/base/files.h"

namespace vigil::tools {

Result<void> write_output(const std::string& path, std::string_view text) {
  if (path != "-") return write_file(path, text);
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return {};
  return Error{std::string("the standard output cannot be written: ") + std::strerror(errno)};
}

}  // namespace vigil::tools
