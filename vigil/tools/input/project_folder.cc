// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/project_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace vigil::tools::input {
namespace {

namespace fs = std::filesystem;

// A pipe or a device is not waited for, and no terminal becomes ours.
constexpr int kReading = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

// Where the kernel or a container does not know openat2: step by step, and no symbolic link at all.
Descriptor open_stepwise(int folder, const fs::path& relative) {
  Descriptor at(dup(folder));
  for (auto part = relative.begin(); part != relative.end() && at.number() >= 0; ++part) {
    if (*part == "..") return Descriptor(-1);
    const bool is_last = std::next(part) == relative.end();
    const int flags = is_last ? kReading : O_PATH | O_DIRECTORY | O_CLOEXEC;
    at = Descriptor(openat(at.number(), part->c_str(), flags | O_NOFOLLOW));
  }
  return at;
}

Descriptor open_beneath(int folder, const std::string& relative) {
  open_how how = {};
  how.flags = kReading;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long opened = syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how);
  if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) {
    return Descriptor(static_cast<int>(opened));
  }
  return open_stepwise(folder, relative);
}

// The size of a regular file.
std::optional<std::size_t> size_of(const Descriptor& file) {
  struct stat status = {};
  if (file.number() < 0 || fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(status.st_size);
}

}  // namespace

fs::path project_root(const std::string& given) {
  std::error_code error;
  fs::path here = fs::current_path(error);
  fs::path root = given;
  for (const char* const name : {"GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"}) {
    const char* const value = std::getenv(name);
    if (root.empty() && value != nullptr) root = value;
  }
  if (!root.empty()) return fs::absolute(root, error).lexically_normal();
  for (fs::path folder = here; folder != folder.root_path(); folder = folder.parent_path()) {
    if (fs::exists(folder / ".git", error)) return folder;
  }
  return here;
}

ProjectFolder::ProjectFolder(fs::path path)
    : path_(std::move(path)), folder_(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

ProjectFolder::~ProjectFolder() {
  if (folder_ >= 0) close(folder_);
}

std::optional<std::string> ProjectFolder::below(const std::string& file) const {
  fs::path path = fs::path(file).lexically_normal();
  if (path.is_absolute()) path = path.lexically_relative(path_);
  const bool leads_out = path.empty() || path == "." || *path.begin() == "..";
  if (leads_out) return std::nullopt;
  return path.generic_string();
}

bool ProjectFolder::holds(const std::string& relative) const {
  return folder_ >= 0 && size_of(open_beneath(folder_, relative)).has_value();
}

std::optional<std::string> ProjectFolder::read(const std::string& relative,
                                               std::size_t bytes_max) const {
  if (folder_ < 0) return std::nullopt;
  const Descriptor file = open_beneath(folder_, relative);
  const std::optional<std::size_t> size = size_of(file);
  if (!size || *size == 0 || *size > bytes_max) return std::nullopt;
  std::string content(*size, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(file.number(), content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  content.resize(done);
  return content;
}

}  // namespace vigil::tools::input
