// SPDX-License-Identifier: Apache-2.0
//
// LogFile: the sink of a log that is a file which others rename: reopen() goes on in a file of the
// old name, as logrotate wants it.
//
// Thread safety: any thread.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <string>

#include "vigil/base/result.h"

namespace vigil::apps {

class LogFile final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // Lines are added to the file's end.
  static Result<std::shared_ptr<LogFile>> open(const std::string& path);
  ~LogFile() override;

  // On failure goes on in the file that is open.
  [[nodiscard]] Result<void> reopen();

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}  // every line is written at once

 private:
  LogFile(std::string path, int file) : path_(std::move(path)), file_(file) {}

  const std::string path_;
  int file_;
};

}  // namespace vigil::apps
