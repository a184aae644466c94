// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/testing/simulated_disk.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::log {
namespace {

constexpr std::size_t kSectorBytes = 512;

std::string folder_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

void put(std::string* bytes, std::uint64_t offset, std::string_view data) {
  if (bytes->size() < offset + data.size()) bytes->resize(offset + data.size(), '\0');
  std::copy(data.begin(), data.end(), bytes->begin() + static_cast<std::ptrdiff_t>(offset));
}

// Cuts a write into what a disk keeps or loses as a whole.
template <class Visit>
void for_each_sector(std::uint64_t offset, std::string_view data, const Visit& visit) {
  while (!data.empty()) {
    const std::size_t size =
        std::min<std::size_t>(data.size(), kSectorBytes - offset % kSectorBytes);
    visit(offset, data.substr(0, size));
    offset += size;
    data.remove_prefix(size);
  }
}

}  // namespace

// ---- Files ----

class SimulatedDisk::OpenFile final : public File {
 public:
  OpenFile(SimulatedDisk& disk, NodePtr node) : disk_(disk), node_(std::move(node)) {}
  ~OpenFile() override {
    const std::lock_guard guard(disk_.mutex_);
    if (locked_) node_->lock_holders = exclusive_ ? 0 : node_->lock_holders - 1;
  }

  int read(std::uint64_t offset, char* to, std::size_t bytes, std::size_t* count) override {
    const std::lock_guard guard(disk_.mutex_);
    disk_.largest_read_bytes_ = std::max<std::uint64_t>(disk_.largest_read_bytes_, bytes);
    const std::string& all = node_->bytes;
    *count = offset < all.size() ? std::min<std::size_t>(bytes, all.size() - offset) : 0;
    std::copy_n(all.data() + std::min<std::uint64_t>(offset, all.size()), *count, to);
    return 0;
  }

  int write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const std::lock_guard guard(disk_.mutex_);
    return disk_.write(*node_, offset, pieces);
  }

  int sync() override {
    std::function<void()> action;
    std::size_t before = 0;
    {
      const std::lock_guard guard(disk_.mutex_);
      action = disk_.on_sync_;
      const int error = disk_.enter(DiskOperation::kSync);
      if (error != 0) return error;
      before = disk_.events_.size();
    }
    if (action) action();
    const std::lock_guard guard(disk_.mutex_);
    // What was written while it ran is not promised.
    disk_.events_.push_back({Event::Kind::kSync, node_->id, before, {}, {}});
    return 0;
  }

  int truncate(std::uint64_t bytes) override {
    const std::lock_guard guard(disk_.mutex_);
    const int error = disk_.enter(DiskOperation::kTruncate);
    if (error != 0) return error;
    node_->bytes.resize(bytes, '\0');
    disk_.events_.push_back({Event::Kind::kTruncate, node_->id, bytes, {}, {}});
    return 0;
  }

  int size(std::uint64_t* bytes) override {
    const std::lock_guard guard(disk_.mutex_);
    *bytes = node_->bytes.size();
    return 0;
  }

  int lock(LockKind kind) override {
    const std::lock_guard guard(disk_.mutex_);
    exclusive_ = kind == LockKind::kExclusive;
    if (node_->lock_holders < 0 || (exclusive_ && node_->lock_holders > 0)) return EWOULDBLOCK;
    node_->lock_holders = exclusive_ ? -1 : node_->lock_holders + 1;
    locked_ = true;
    return 0;
  }

 private:
  SimulatedDisk& disk_;
  NodePtr node_;
  bool locked_ = false;
  bool exclusive_ = false;
};

// ---- Faults ----

void SimulatedDisk::fail(DiskOperation operation, std::uint64_t nth, int error, bool for_ever) {
  const std::lock_guard guard(mutex_);
  faults_[operation] = {nth, error, for_ever};
}

void SimulatedDisk::heal() {
  const std::lock_guard guard(mutex_);
  faults_.clear();
}

void SimulatedDisk::set_room(std::uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  room_ = bytes;
}

void SimulatedDisk::on_sync(std::function<void()> action) {
  const std::lock_guard guard(mutex_);
  on_sync_ = std::move(action);
}

std::uint64_t SimulatedDisk::count(DiskOperation operation) const {
  const std::lock_guard guard(mutex_);
  const auto found = counts_.find(operation);
  return found == counts_.end() ? 0 : found->second;
}

std::uint64_t SimulatedDisk::largest_read_bytes() const {
  const std::lock_guard guard(mutex_);
  return largest_read_bytes_;
}

int SimulatedDisk::enter(DiskOperation operation) {
  ++counts_[operation];
  const auto found = faults_.find(operation);
  if (found == faults_.end()) return 0;
  Fault& fault = found->second;
  if (fault.after > 0) {
    --fault.after;
    return 0;
  }
  const int error = fault.error;
  if (!fault.for_ever) faults_.erase(found);
  return error;
}

std::uint64_t SimulatedDisk::total_bytes() const {
  std::uint64_t total = 0;
  for (const auto& [path, node] : files_) total += node->bytes.size();
  return total;
}

void SimulatedDisk::write_bytes(Node& node, std::uint64_t offset, std::string_view data) {
  put(&node.bytes, offset, data);
  events_.push_back({Event::Kind::kWrite, node.id, offset, std::string(data), {}});
}

int SimulatedDisk::write(Node& node, std::uint64_t offset,
                         std::span<const std::string_view> pieces) {
  std::string data;
  for (const std::string_view piece : pieces) data += piece;
  const std::uint64_t end = offset + data.size();
  const std::uint64_t growth = end > node.bytes.size() ? end - node.bytes.size() : 0;
  int error = enter(DiskOperation::kWrite);
  if (error == 0 && growth > 0 && total_bytes() + growth > room_) error = ENOSPC;
  if (error != 0) data.resize(data.size() / 2);
  if (error != ENOSPC) write_bytes(node, offset, data);
  return error;
}

// ---- Names ----

int SimulatedDisk::open(const std::string& path, OpenMode mode, std::unique_ptr<File>* file) {
  const std::lock_guard guard(mutex_);
  const auto found = files_.find(path);
  if (mode != OpenMode::kCreate) {
    if (found == files_.end()) return ENOENT;
    *file = std::make_unique<OpenFile>(*this, found->second);
    return 0;
  }
  if (found != files_.end()) return EEXIST;
  const int error = enter(DiskOperation::kName);
  if (error != 0) return error;
  auto node = std::make_shared<Node>();
  node->id = ++nodes_;
  files_[path] = node;
  events_.push_back({Event::Kind::kCreate, node->id, 0, path, {}});
  *file = std::make_unique<OpenFile>(*this, std::move(node));
  return 0;
}

int SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  const int error = enter(DiskOperation::kName);
  if (error != 0) return error;
  const auto found = files_.find(from);
  if (found == files_.end()) return ENOENT;
  NodePtr node = found->second;
  files_.erase(found);
  files_[to] = std::move(node);
  events_.push_back({Event::Kind::kRename, 0, 0, from, to});
  return 0;
}

int SimulatedDisk::remove(const std::string& path) {
  const std::lock_guard guard(mutex_);
  if (files_.find(path) == files_.end()) return ENOENT;
  const int error = enter(DiskOperation::kName);
  if (error != 0) return error;
  files_.erase(path);
  events_.push_back({Event::Kind::kRemove, 0, 0, path, {}});
  return 0;
}

int SimulatedDisk::list(const std::string& path, std::vector<std::string>* names) {
  const std::lock_guard guard(mutex_);
  names->clear();
  if (folders_.find(path) == folders_.end()) return ENOENT;
  for (const auto& [name, node] : files_) {
    if (folder_of(name) == path) names->push_back(std::filesystem::path(name).filename().string());
  }
  return 0;
}

int SimulatedDisk::make_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  folders_[path] = true;
  return 0;
}

int SimulatedDisk::sync_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  const int error = enter(DiskOperation::kSyncDirectory);
  if (error != 0) return error;
  events_.push_back({Event::Kind::kSyncDirectory, 0, 0, path, {}});
  return 0;
}

// ---- Cuts ----

void SimulatedDisk::note(std::uint64_t value) {
  const std::lock_guard guard(mutex_);
  events_.push_back({Event::Kind::kNote, 0, value, {}, {}});
}

std::size_t SimulatedDisk::events() const {
  const std::lock_guard guard(mutex_);
  return events_.size();
}

std::uint64_t SimulatedDisk::noted(std::size_t events) const {
  const std::lock_guard guard(mutex_);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < events; ++i) {
    if (events_[i].kind == Event::Kind::kNote) value = std::max(value, events_[i].offset);
  }
  return value;
}

// The disk as it is being rebuilt.
struct SimulatedDisk::Image {
  std::map<std::uint64_t, std::string> nodes;
  std::map<std::string, std::uint64_t> names;
  std::map<std::string, bool> folders;
  std::uint64_t node_count = 0;

  void write(const Event& event, bool synced, const Keep& keep) {
    std::string& bytes = nodes[event.node];
    if (synced) return put(&bytes, event.offset, event.data);
    const std::uint64_t end = event.offset + event.data.size();
    if (end > bytes.size() && keep()) bytes.resize(end, '\0');
    for_each_sector(event.offset, event.data, [&](std::uint64_t offset, std::string_view data) {
      if (keep()) put(&bytes, offset, data);
    });
  }

  void name(const Event& event) {
    if (event.kind == Event::Kind::kCreate) {
      names[event.data] = event.node;
      return;
    }
    const auto found = names.find(event.data);
    if (found == names.end()) return;
    const std::uint64_t node = found->second;
    names.erase(found);
    if (event.kind == Event::Kind::kRename) names[event.to] = node;
  }
};

std::unique_ptr<SimulatedDisk> SimulatedDisk::crash(std::size_t events, const Keep& keep) const {
  const std::lock_guard guard(mutex_);
  // Up to which event each file, and all names, are synced.
  std::map<std::uint64_t, std::size_t> synced;
  std::size_t names_synced = 0;
  for (std::size_t i = 0; i < events; ++i) {
    const Event& event = events_[i];
    if (event.kind == Event::Kind::kSync) {
      synced[event.node] = std::max(synced[event.node], static_cast<std::size_t>(event.offset));
    }
    if (event.kind == Event::Kind::kSyncDirectory) names_synced = i;
  }
  auto rebuilt = std::make_unique<Image>(*base_);
  Image& image = *rebuilt;
  for (std::size_t i = 0; i < events; ++i) {
    const Event& event = events_[i];
    switch (event.kind) {
      case Event::Kind::kWrite:
        image.write(event, i < synced[event.node], keep);
        break;
      case Event::Kind::kTruncate:
        if (i < synced[event.node] || keep()) image.nodes[event.node].resize(event.offset, '\0');
        break;
      case Event::Kind::kCreate:
      case Event::Kind::kRename:
      case Event::Kind::kRemove:
        if (i < names_synced || keep()) image.name(event);
        break;
      case Event::Kind::kSync:
      case Event::Kind::kSyncDirectory:
      case Event::Kind::kNote:
        break;
    }
  }
  rebuilt->folders = folders_;
  rebuilt->node_count = nodes_;
  return made_of(std::move(rebuilt));
}

SimulatedDisk::SimulatedDisk() : base_(std::make_unique<Image>()) {}
SimulatedDisk::~SimulatedDisk() = default;

std::unique_ptr<SimulatedDisk> SimulatedDisk::made_of(std::unique_ptr<Image> image) {
  auto disk = std::make_unique<SimulatedDisk>();
  disk->folders_ = image->folders;
  disk->nodes_ = image->node_count;
  for (const auto& [path, id] : image->names) {
    disk->files_[path] = std::make_shared<Node>(Node{image->nodes[id], id, 0});
  }
  disk->base_ = std::move(image);
  return disk;
}

std::size_t SimulatedDisk::unsynced_pieces(std::size_t events) const {
  std::size_t pieces = 0;
  (void)crash(events, [&] {
    ++pieces;
    return true;
  });
  return pieces;
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::copy() const {
  const std::lock_guard guard(mutex_);
  auto image = std::make_unique<Image>();
  image->folders = folders_;
  image->node_count = nodes_;
  for (const auto& [path, node] : files_) {
    image->names[path] = node->id;
    image->nodes[node->id] = node->bytes;
  }
  return made_of(std::move(image));
}

// ---- Content ----

std::string& SimulatedDisk::bytes(const std::string& path) {
  const std::lock_guard guard(mutex_);
  const auto found = files_.find(path);
  VIGIL_CHECK(found != files_.end(), "SimulatedDisk::bytes() of a file that does not exist");
  return found->second->bytes;
}

std::vector<std::string> SimulatedDisk::paths() const {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, node] : files_) paths.push_back(path);
  return paths;
}

}  // namespace vigil::log
