// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace vigil::apps {
namespace {

constexpr mode_t kMode = 0640;

Result<int> open_for_lines(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (file < 0) return Error{path + ": cannot be written: " + std::strerror(errno)};
  return file;
}

}  // namespace

Result<std::shared_ptr<LogFile>> LogFile::open(const std::string& path) {
  const Result<int> file = open_for_lines(path);
  if (!file) return file.error();
  return std::shared_ptr<LogFile>(new LogFile(path, *file));
}

LogFile::~LogFile() { ::close(file_); }

Result<void> LogFile::reopen() {
  const Result<int> file = open_for_lines(path_);
  if (!file) return file.error();
  const std::lock_guard lock(mutex_);
  ::close(std::exchange(file_, *file));
  return {};
}

void LogFile::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  // One call per line, so that the lines of several processes do not mix. A line that the disk does
  // not take is lost; the server goes on.
  [[maybe_unused]] const ssize_t written = ::write(file_, line.data(), line.size());
}

}  // namespace vigil::apps
