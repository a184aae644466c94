// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/directory.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "vigil/base/random.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/little_endian.h"
#include "vigil/text/hex.h"

namespace vigil::log {
namespace {

constexpr std::string_view kLockName = "LOCK";
constexpr std::string_view kFormatName = "FORMAT";
constexpr std::string_view kNewFormatName = "FORMAT.tmp";
constexpr std::string_view kUnfinishedSuffix = ".tmp";
constexpr std::string_view kSegmentPrefix = "log.";
constexpr std::string_view kSnapshotPrefix = "snapshot.";
constexpr std::size_t kPositionDigits = 20;
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kFormatBytesMax = 1024;

std::string padded(Position position) {
  std::string digits = std::to_string(position);
  return std::string(kPositionDigits - digits.size(), '0') + digits;
}

// The position in a name of exactly that form.
std::optional<Position> position_in(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  if (name.size() != kPositionDigits) return {};
  Position position = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), position);
  if (error != std::errc() || end != name.data() + name.size()) return {};
  return position;
}

std::string random_hex() {
  return text::hex_digits(random_seed()) + text::hex_digits(random_seed());
}

int hex_value(char digit) {
  const std::size_t value = text::kHexDigits.find(digit);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

// Of lower-case digits only.
bool secret_of(std::string_view digits, Secret* secret) {
  if (digits.size() != 2 * kSecretBytes) return false;
  for (std::size_t i = 0; i < kSecretBytes; ++i) {
    const int high = hex_value(digits[2 * i]);
    const int low = hex_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    (*secret)[i] = static_cast<char>(high * 16 + low);
  }
  return true;
}

std::string hex_of(const Secret& secret) {
  std::string digits;
  for (const char c : secret) {
    const auto byte = static_cast<std::uint8_t>(c);
    digits += text::kHexDigits[byte >> 4];
    digits += text::kHexDigits[byte & 15];
  }
  return digits;
}

// What follows `name` and a space in the line that begins so; the line is taken off *text.
std::optional<std::string_view> take_line(std::string_view* text, std::string_view name) {
  const std::size_t end = text->find('\n');
  if (end == std::string_view::npos) return {};
  std::string_view line = text->substr(0, end);
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') return {};
  text->remove_prefix(end + 1);
  line.remove_prefix(name.size() + 1);
  return line;
}

std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return number;
}

std::string crc_line(std::string_view lines) {
  return "crc " + text::hex_digits(crc32c(lines)).substr(8) + "\n";
}

Result<std::string> read_whole(FileSystem& files, const std::string& path) {
  std::unique_ptr<File> file;
  std::string content(kFormatBytesMax, '\0');
  std::size_t count = 0;
  int error = files.open(path, OpenMode::kRead, &file);
  if (error == 0) error = file->read(0, content.data(), content.size(), &count);
  if (error != 0) return describe(path, "read", error);
  content.resize(count);
  return content;
}

bool by_position(const StreamFile& a, const StreamFile& b) { return a.begin < b.begin; }

}  // namespace

std::string segment_name(Position first) { return std::string(kSegmentPrefix) + padded(first); }

std::string snapshot_name(Position begin) { return std::string(kSnapshotPrefix) + padded(begin); }

std::string Directory::path_of(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

// What opening for writing begins with.
Result<std::unique_ptr<Directory>> Directory::take(const std::string& path, FileSystem& files) {
  std::vector<std::string> names;
  const bool is_new = files.list(path, &names) == ENOENT;
  int error = files.make_directory(path);
  if (error != 0) return describe(path, "made", error);
  if (is_new) {
    const std::string parent = std::filesystem::absolute(path).lexically_normal().parent_path();
    error = files.sync_directory(parent);
    if (error != 0) return describe(parent, "synced", error);
  }
  std::unique_ptr<Directory> directory(new Directory(path, files));
  const Result<void> locked = directory->take_lock(LockKind::kExclusive);
  if (!locked) return locked.error();
  const Result<void> noted = directory->note_holder();
  if (!noted) return noted.error();
  return directory;
}

Result<std::unique_ptr<Directory>> Directory::open(const std::string& path, FileSystem& files) {
  Result<std::unique_ptr<Directory>> taken = take(path, files);
  if (!taken) return taken.error();
  std::unique_ptr<Directory> directory = std::move(*taken);
  const Result<bool> has_format = directory->read_format();
  if (!has_format) return has_format.error();
  const Result<void> ready =
      *has_format ? directory->remove_unfinished() : directory->begin_format();
  if (!ready) return ready.error();
  return directory;
}

Result<std::unique_ptr<Directory>> Directory::open_to_repair(const std::string& path, bool* renewed,
                                                             FileSystem& files) {
  std::vector<std::string> names;
  const int error = files.list(path, &names);
  if (error != 0) return describe(path, "read", error);
  Result<std::unique_ptr<Directory>> taken = take(path, files);
  if (!taken) return taken.error();
  std::unique_ptr<Directory> directory = std::move(*taken);
  const Result<bool> has_format = directory->read_format();
  if (!has_format && !directory->format_is_damaged_) return has_format.error();
  *renewed = !has_format || !*has_format;
  if (!has_format) {
    const int renamed = files.rename(directory->path_of(kFormatName),
                                     directory->path_of("saved." + std::string(kFormatName)));
    if (renamed != 0) return describe(directory->path_of(kFormatName), "put aside", renamed);
  }
  const Result<void> ready = *renewed ? directory->renew_format() : directory->remove_unfinished();
  if (!ready) return ready.error();
  return directory;
}

Result<std::unique_ptr<Directory>> Directory::open_to_read(const std::string& path,
                                                           FileSystem& files) {
  std::unique_ptr<Directory> directory(new Directory(path, files));
  const Result<void> locked = directory->take_lock(LockKind::kShared);
  if (!locked) return locked.error();
  const Result<bool> has_format = directory->read_format();
  if (!has_format) return has_format.error();
  if (!*has_format) {
    return Error{path + ": is no data directory of vigild: it has no file " +
                 std::string(kFormatName)};
  }
  return directory;
}

Result<void> Directory::take_lock(LockKind kind) {
  const std::string path = path_of(kLockName);
  const bool writes = kind == LockKind::kExclusive;
  int error = files_.open(path, writes ? OpenMode::kWrite : OpenMode::kRead, &lock_);
  if (error == ENOENT && !writes) return {};  // a copy, which no server has open
  if (error == ENOENT) error = files_.open(path, OpenMode::kCreate, &lock_);
  if (error != 0) return describe(path, writes ? "written" : "read", error);
  error = lock_->lock(kind);
  if (error == 0) return {};
  if (error != EWOULDBLOCK) return describe(path, "locked", error);
  // Not an error: the name of the process is a help, no more.
  const Result<std::string> holder = read_whole(files_, path);
  const std::string who = holder && !holder->empty() ? *holder : "unknown\n";
  return Error{path_ + ": is in use by process " + who.substr(0, who.find('\n')) +
               "; stop it, or name another directory"};
}

Result<void> Directory::note_holder() {
  const std::string pid = std::to_string(::getpid()) + "\n";
  const std::string_view piece = pid;
  int error = lock_->truncate(0);
  if (error == 0) error = lock_->write(0, {&piece, 1});
  if (error != 0) return describe(path_of(kLockName), "written", error);
  return {};
}

Error Directory::damaged_format(std::string_view why) {
  format_is_damaged_ = true;
  return Error{path_of(kFormatName) + ": " + std::string(why) +
               "; restore this file from a backup of the same directory (its secret and id are "
               "nowhere else), or run `vigil log repair " +
               path_ + "`, which writes a new one"};
}

// False if there is none.
Result<bool> Directory::read_format() {
  std::unique_ptr<File> file;
  if (files_.open(path_of(kFormatName), OpenMode::kRead, &file) == ENOENT) return false;
  const Result<std::string> text = read_whole(files_, path_of(kFormatName));
  if (!text) return text.error();
  std::string_view rest = *text;
  const std::size_t crc_at = rest.rfind("crc ");
  if (crc_at == std::string_view::npos || rest.substr(crc_at) != crc_line(rest.substr(0, crc_at))) {
    return damaged_format("the file is damaged: the checksum is not the one of its text");
  }
  const std::optional<std::string_view> version = take_line(&rest, "vigil log");
  const std::optional<std::uint64_t> number = version ? whole_number(*version) : std::nullopt;
  if (!number) return damaged_format("the file does not say which format the directory has");
  if (*number > kFormatVersion) {
    return Error{path_of(kFormatName) + ": the directory has format " + std::to_string(*number) +
                 ", this program reads formats up to " + std::to_string(kFormatVersion) +
                 "; start the version that wrote it, or a later one"};
  }
  const std::optional<std::string_view> id = take_line(&rest, "id");
  const std::optional<std::string_view> secret = take_line(&rest, "secret");
  const std::optional<std::string_view> run = take_line(&rest, "run");
  if (!id || id->size() != kIdDigits || !secret || !secret_of(*secret, &secret_) || !run) {
    return damaged_format("a line is missing or malformed");
  }
  id_ = *id;
  run_ = whole_number(*run);
  if (!run_ && *run != "none") return damaged_format("the line `run` is malformed");
  return true;
}

std::string Directory::format_text() const {
  const std::string lines = "vigil log " + std::to_string(kFormatVersion) + "\nid " + id_ +
                            "\nsecret " + hex_of(secret_) + "\nrun " +
                            (run_ ? std::to_string(*run_) : "none") + "\n";
  return lines + crc_line(lines);
}

Result<void> Directory::write_format() const {
  const std::string path = path_of(kNewFormatName);
  const std::string text = format_text();
  const std::string_view piece = text;
  std::unique_ptr<File> file;
  int error = files_.remove(path);
  if (error == 0 || error == ENOENT) error = files_.open(path, OpenMode::kCreate, &file);
  if (error == 0) error = file->write(0, {&piece, 1});
  if (error == 0) error = file->sync();
  if (error == 0) error = files_.rename(path, path_of(kFormatName));
  if (error == 0) error = files_.sync_directory(path_);
  if (error != 0) return describe(path_of(kFormatName), "written", error);
  return {};
}

// Of a directory that has no FORMAT: it is new, or lost it.
Result<void> Directory::begin_format() {
  const Result<DirectoryListing> listing = list();
  if (!listing) return listing.error();
  if (!listing->segments.empty() || !listing->snapshots.empty()) {
    return damaged_format("the file is missing although there are segments or snapshots");
  }
  return renew_format();
}

Result<void> Directory::renew_format() {
  id_ = random_hex();
  run_.reset();
  VIGIL_CHECK(secret_of(random_hex(), &secret_), "random_hex() gives the digits of a secret");
  return write_format();
}

Result<void> Directory::note_run(Position first) {
  run_ = first;
  return write_format();
}

Result<void> Directory::forget_run() {
  run_.reset();
  return write_format();
}

Result<DirectoryListing> Directory::list() const {
  std::vector<std::string> names;
  const int error = files_.list(path_, &names);
  if (error != 0) return describe(path_, "read", error);
  DirectoryListing listing;
  for (const std::string& name : names) {
    if (const std::optional<Position> first = position_in(name, kSegmentPrefix)) {
      listing.segments.push_back({*first, name});
    } else if (const std::optional<Position> begin = position_in(name, kSnapshotPrefix)) {
      listing.snapshots.push_back({*begin, name});
    }
  }
  std::sort(listing.segments.begin(), listing.segments.end(), by_position);
  std::sort(listing.snapshots.begin(), listing.snapshots.end(), by_position);
  return listing;
}

Result<void> Directory::remove_unfinished() const {
  std::vector<std::string> names;
  int error = files_.list(path_, &names);
  if (error != 0) return describe(path_, "read", error);
  for (const std::string& name : names) {
    if (!name.ends_with(kUnfinishedSuffix)) continue;
    error = files_.remove(path_of(name));
    if (error != 0) return describe(path_of(name), "removed", error);
  }
  return {};
}

Result<void> Directory::remove_snapshots_before(Position position) const {
  const Result<DirectoryListing> listing = list();
  if (!listing) return listing.error();
  for (const StreamFile& snapshot : listing->snapshots) {
    if (snapshot.begin >= position) continue;
    const int error = files_.remove(path_of(snapshot.name));
    if (error != 0) return describe(path_of(snapshot.name), "removed", error);
  }
  const int error = files_.sync_directory(path_);
  if (error != 0) return describe(path_, "synced", error);
  return {};
}

}  // namespace vigil::log
