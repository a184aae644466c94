// SPDX-License-Identifier: Apache-2.0
//
// FileSystem: all that the log asks of the operating system, so that a test can put a disk in its
// place that fails, fills up or loses what was not synced (simulated_disk.h).
//
// Errors: each function returns 0 or the errno of the call that failed; describe() makes a sentence
// of it. Interrupted calls are repeated, short transfers continued. A failed sync() is not
// repeated: what the kernel held back then may be lost, and a second call would succeed without it.
//
// Thread safety: a FileSystem may be used from any thread; so may a File, except that one thread at
// a time writes, truncates or closes it. sync() may run beside write().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::log {

enum class LockKind : std::uint8_t { kShared, kExclusive };

class File {
 public:
  static constexpr std::size_t kBlockBytes = 4096;

  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  // Up to `bytes` bytes from `offset` on; *count says how many, fewer only at the end of the file.
  [[nodiscard]] virtual int read(std::uint64_t offset, char* to, std::size_t bytes,
                                 std::size_t* count) = 0;
  // All pieces, one after the other, from `offset` on.
  [[nodiscard]] virtual int write(std::uint64_t offset,
                                  std::span<const std::string_view> pieces) = 0;
  // Whole blocks into a file that has them, from memory aligned to a block: past the kernel's page
  // cache where the file system can do that. What it wrote is on its way to the disk, and needs a
  // sync() as well.
  [[nodiscard]] virtual int write_direct(std::uint64_t offset, std::string_view blocks) {
    return write(offset, {&blocks, 1});
  }
  // Returns when the content and the size would survive a power cut.
  [[nodiscard]] virtual int sync() = 0;
  [[nodiscard]] virtual int truncate(std::uint64_t bytes) = 0;
  [[nodiscard]] virtual int size(std::uint64_t* bytes) = 0;
  // Takes the file's advisory lock until the File is destroyed; EWOULDBLOCK if another process, or
  // another File, has it.
  [[nodiscard]] virtual int lock(LockKind kind) = 0;
};

enum class OpenMode : std::uint8_t {
  kRead,
  kWrite,   // of a file that exists, to read and write
  kCreate,  // a new file, to read and write; EEXIST if there is one
};

class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  [[nodiscard]] virtual int open(const std::string& path, OpenMode mode,
                                 std::unique_ptr<File>* file) = 0;
  // Takes the place of a file `to`.
  [[nodiscard]] virtual int rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual int remove(const std::string& path) = 0;
  // The names in a folder, in no order.
  [[nodiscard]] virtual int list(const std::string& path, std::vector<std::string>* names) = 0;
  // With the folders above it; 0 also if it exists.
  [[nodiscard]] virtual int make_directory(const std::string& path) = 0;
  // Returns when the names in the folder would survive a power cut.
  [[nodiscard]] virtual int sync_directory(const std::string& path) = 0;
};

// The operating system's.
[[nodiscard]] FileSystem& system_files();

// "PATH: cannot be written: No space left on device"
[[nodiscard]] Error describe(const std::string& path, std::string_view cannot_be, int error);

}  // namespace vigil::log
