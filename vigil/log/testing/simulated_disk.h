// SPDX-License-Identifier: Apache-2.0
//
// SimulatedDisk: a file system in memory for tests, which fails when told to, fills up, and knows
// what a power cut at any moment may leave.
//
// It records what happens to it as events. crash() builds the disk after a cut behind the first n
// of them: what was synced is there; of what was not, a choice decides piece by piece (sectors of
// 512 bytes, sizes, names). A FixedChoice tries every combination, a random one samples them.
//
//   data     lost or kept by sector; a file that grew may have the size without the data
//   names    creation, renaming and removal since the last sync of the folder, each lost or kept
//
// Thread safety: as FileSystem says; the rest from any thread, bytes() while nobody writes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "vigil/log/file_system.h"

namespace vigil::log {

enum class DiskOperation : std::uint8_t { kWrite, kSync, kTruncate, kName, kSyncDirectory };

class SimulatedDisk final : public FileSystem {
 public:
  // Whether the next piece that was not synced is on the disk.
  using Keep = std::function<bool()>;

  struct Node {
    std::string bytes;
    std::uint64_t id = 0;
    int lock_holders = 0;  // -1: exclusive
  };

  SimulatedDisk();
  ~SimulatedDisk() override;

  // ---- Faults ----

  // The n-th operation of that kind from now on, 0 being the next, fails with `error`; also all
  // that follow it, if `for_ever`. Half of a failing write may be on the disk.
  void fail(DiskOperation operation, std::uint64_t nth, int error, bool for_ever);
  void heal();
  // Files cannot grow beyond so many bytes together.
  void set_room(std::uint64_t bytes);
  // Called in each sync of a file, without a lock.
  void on_sync(std::function<void()> action);
  [[nodiscard]] std::uint64_t count(DiskOperation operation) const;
  // Of all reads so far: what the reader held in memory at once.
  [[nodiscard]] std::uint64_t largest_read_bytes() const;

  // ---- Events and cuts ----

  // Adds an event that means nothing to the disk: what was acknowledged when.
  void note(std::uint64_t value);
  [[nodiscard]] std::size_t events() const;
  // The highest noted value among the first `events` events.
  [[nodiscard]] std::uint64_t noted(std::size_t events) const;
  [[nodiscard]] std::unique_ptr<SimulatedDisk> crash(std::size_t events, const Keep& keep) const;
  // Pieces that a cut there may lose.
  [[nodiscard]] std::size_t unsynced_pieces(std::size_t events) const;
  // The same disk, all that was written kept: what kill -9 leaves.
  [[nodiscard]] std::unique_ptr<SimulatedDisk> copy() const;

  // ---- Content ----

  // REQUIRES: the file exists.
  [[nodiscard]] std::string& bytes(const std::string& path);
  [[nodiscard]] std::vector<std::string> paths() const;

  // ---- FileSystem ----

  [[nodiscard]] int open(const std::string& path, OpenMode mode,
                         std::unique_ptr<File>* file) override;
  [[nodiscard]] int rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] int remove(const std::string& path) override;
  [[nodiscard]] int list(const std::string& path, std::vector<std::string>* names) override;
  [[nodiscard]] int make_directory(const std::string& path) override;
  [[nodiscard]] int sync_directory(const std::string& path) override;

 private:
  class OpenFile;
  friend class OpenFile;
  using NodePtr = std::shared_ptr<Node>;

  struct Event {
    enum class Kind : std::uint8_t {
      kWrite,
      kTruncate,
      kSync,
      kCreate,
      kRename,
      kRemove,
      kSyncDirectory,
      kNote
    };
    Kind kind;
    std::uint64_t node = 0;    // of kWrite, kTruncate, kSync, kCreate
    std::uint64_t offset = 0;  // the size of kTruncate, the value of kNote
    std::string data;          // of kWrite; the path of names
    std::string to;            // of kRename
  };
  struct Image;

  [[nodiscard]] static std::unique_ptr<SimulatedDisk> made_of(std::unique_ptr<Image> image);
  [[nodiscard]] int enter(DiskOperation operation);  // REQUIRES: mutex_ is held
  [[nodiscard]] std::uint64_t total_bytes() const;
  [[nodiscard]] int write(Node& node, std::uint64_t offset,
                          std::span<const std::string_view> pieces);
  void write_bytes(Node& node, std::uint64_t offset, std::string_view data);

  struct Fault {
    std::uint64_t after = 0;
    int error = 0;
    bool for_ever = false;
  };

  mutable std::mutex mutex_;
  std::map<std::string, NodePtr> files_;
  std::unique_ptr<Image> base_;  // what was on the disk before the first event
  std::map<std::string, bool> folders_;
  std::vector<Event> events_;
  std::map<DiskOperation, Fault> faults_;
  std::map<DiskOperation, std::uint64_t> counts_;
  std::uint64_t room_ = UINT64_MAX;
  std::uint64_t largest_read_bytes_ = 0;
  std::uint64_t nodes_ = 0;
  std::function<void()> on_sync_;
};

}  // namespace vigil::log
