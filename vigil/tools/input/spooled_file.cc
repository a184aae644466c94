// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/spooled_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace vigil::tools::input {

Result<SpooledFile> SpooledFile::of(ByteSource& source) {
  const char* const chosen = std::getenv("TMPDIR");
  const std::string folder = chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp";
  // O_TMPFILE is not known to every file system: a name for a moment is.
  std::string name = folder + "/vigil-XXXXXX";
  const int descriptor = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return Error{folder + ": no temporary file: " + std::strerror(errno)};
  unlink(name.c_str());
  SpooledFile file(descriptor);
  for (;;) {
    const Result<std::string_view> piece = source.read();
    if (!piece) return piece.error();
    if (piece->empty()) return file;
    if (Result<void> done = file.append(*piece); !done) return done.error();
  }
}

SpooledFile::SpooledFile(SpooledFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

SpooledFile::~SpooledFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string SpooledFile::path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

Result<void> SpooledFile::append(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Error{"temporary file: " + std::string(std::strerror(errno))};
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace vigil::tools::input
