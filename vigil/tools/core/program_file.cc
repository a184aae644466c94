// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/program_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace vigil::tools {

Result<void> check_program(const std::string& path) {
  std::array<char, SELFMAG> magic = {};
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) {
    return Error{errno == ENOENT ? "there is no file " + path : path + ": " + std::strerror(errno)};
  }
  struct stat status = {};
  const bool is_elf = fstat(file, &status) == 0 && S_ISREG(status.st_mode) &&
                      read(file, magic.data(), magic.size()) == SELFMAG &&
                      std::memcmp(magic.data(), ELFMAG, SELFMAG) == 0;
  close(file);
  if (!is_elf) return Error{path + " is no program (no ELF file)"};
  return {};
}

}  // namespace vigil::tools
