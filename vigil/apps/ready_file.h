// SPDX-License-Identifier: Apache-2.0
//
// ReadyFile: DATA_DIR/vigild.ready, which tells other programs that this vigild serves, and where.
//
//   pid=4711
//   resp=127.0.0.1:6390
//   http=127.0.0.1:8390
//
// It appears whole (written aside and renamed) and goes away when the server ends in order; after a
// crash it stays, so a reader checks the process.
//
// Thread safety: belongs to main.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "vigil/base/result.h"

namespace vigil::apps {

class ReadyFile {
 public:
  // Makes the directory if it is missing. The error says what the system refused.
  static Result<std::unique_ptr<ReadyFile>> create(const std::string& data_dir,
                                                   const std::string& resp_address,
                                                   const std::string& http_address);
  ~ReadyFile();
  ReadyFile(const ReadyFile&) = delete;
  ReadyFile& operator=(const ReadyFile&) = delete;

 private:
  explicit ReadyFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path path_;
};

}  // namespace vigil::apps
