// SPDX-License-Identifier: Apache-2.0
//
// Directory: the data directory of one server: who may use it, of which format it is, and what lies
// in it.
//
//   LOCK                        advisory lock and process id of the one that has it open
//   FORMAT                      text, replaced as a whole: format version, identity, secret
//   log.<first position>        segments (segment.h); 20 decimal digits
//   snapshot.<begin position>   snapshots (snapshot_file.h)
//   *.tmp                       being made; removed when the directory is opened for writing
//   saved.*                     what `vigil log repair` put aside; never read, never removed
//
// FORMAT:
//
//   vigil log 1
//   id 0123456789abcdef0123456789abcdef
//   secret 0123456789abcdef0123456789abcdef
//   run 0
//   crc 0123abcd
//
// `crc` is the CRC-32C of the lines before it. `run` is where the last run of a server began,
// `none` before the first: a log that does not reach it, or is not there, is damage and no
// beginning.
//
// Use when: a server opens its data directory (open), or a tool looks at one (open_to_read).
//
// Thread safety: after open() every const member may be called from any thread.
//
// Errors: each names the file, what is wrong with it, and what to do.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/file_system.h"
#include "vigil/log/header_block.h"
#include "vigil/log/record.h"

namespace vigil::log {

inline constexpr std::size_t kSecretBytes = 16;

using Secret = std::array<char, kSecretBytes>;

// A segment or a snapshot, as its name says.
struct StreamFile {
  Position begin = 0;
  std::string name;
};

struct DirectoryListing {
  std::vector<StreamFile> segments;   // in ascending order
  std::vector<StreamFile> snapshots;  // in ascending order
};

class Directory {
 public:
  // Opens the directory for a server: makes it if there is none, takes its lock, checks or writes
  // its FORMAT, removes what was left half made. Refuses a directory that another process has, of a
  // newer format, without FORMAT although there are segments, or that cannot be written.
  static Result<std::unique_ptr<Directory>> open(const std::string& path,
                                                 FileSystem& files = system_files());
  // Opens it to look at it: writes nothing, refuses a directory that a server has open. It may be
  // on a read-only file system, and a copy without LOCK.
  static Result<std::unique_ptr<Directory>> open_to_read(const std::string& path,
                                                         FileSystem& files = system_files());

  // Opens it to repair it: like open(), but a FORMAT that is missing or damaged is put aside under
  // a name with saved. and made anew, which *renewed then says.
  static Result<std::unique_ptr<Directory>> open_to_repair(const std::string& path, bool* renewed,
                                                           FileSystem& files = system_files());

  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] FileSystem& files() const { return files_; }
  // Random bytes made with the directory, for idempotency keys and the like. It is no secret to who
  // can read the directory.
  [[nodiscard]] const Secret& secret() const { return secret_; }
  // Made with the directory, hexadecimal: tells directories and their copies apart from others.
  [[nodiscard]] const std::string& id() const { return id_; }
  // Where the last run began; nothing if there never was one.
  [[nodiscard]] const std::optional<Position>& run() const { return run_; }

  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] Result<DirectoryListing> list() const;

  // A run begins at `first`. REQUIRES: opened for writing; its first segment is synced.
  [[nodiscard]] Result<void> note_run(Position first);
  // No run is known. REQUIRES: opened for writing.
  [[nodiscard]] Result<void> forget_run();
  // Removes the snapshots that begin before `position`, and syncs the directory. REQUIRES: opened
  // for writing; a snapshot from there on is synced.
  [[nodiscard]] Result<void> remove_snapshots_before(Position position) const;

 private:
  Directory(std::string path, FileSystem& files) : path_(std::move(path)), files_(files) {}

  [[nodiscard]] static Result<std::unique_ptr<Directory>> take(const std::string& path,
                                                               FileSystem& files);
  [[nodiscard]] Result<void> take_lock(LockKind kind);
  [[nodiscard]] Result<void> note_holder();
  [[nodiscard]] Result<bool> read_format();
  [[nodiscard]] Result<void> write_format() const;
  [[nodiscard]] std::string format_text() const;
  [[nodiscard]] Result<void> begin_format();
  [[nodiscard]] Result<void> renew_format();
  [[nodiscard]] Result<void> remove_unfinished() const;
  [[nodiscard]] Error damaged_format(std::string_view why);

  std::string path_;
  FileSystem& files_;
  std::unique_ptr<File> lock_;
  std::string id_;
  Secret secret_{};
  std::optional<Position> run_;
  bool format_is_damaged_ = false;
};

// "log." or "snapshot." and 20 digits.
[[nodiscard]] std::string segment_name(Position first);
[[nodiscard]] std::string snapshot_name(Position begin);

}  // namespace vigil::log
