// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/ready_file.h"

#include <unistd.h>

#include <system_error>

#include "vigil/base/files.h"

namespace vigil::apps {

namespace fs = std::filesystem;

Result<std::unique_ptr<ReadyFile>> ReadyFile::create(const std::string& data_dir,
                                                     const std::string& resp_address,
                                                     const std::string& http_address) {
  const std::string place = "server.data_dir: \"" + data_dir + "\": ";
  std::error_code error;
  fs::create_directories(data_dir, error);
  if (error) return Error{place + "cannot be made: " + error.message()};

  const fs::path path = fs::path(data_dir) / "vigild.ready";
  const Result<void> written =
      write_file(path, "pid=" + std::to_string(getpid()) + "\nresp=" + resp_address +
                           "\nhttp=" + http_address + "\n");
  if (!written) return Error{place + written.error().message};
  return std::unique_ptr<ReadyFile>(new ReadyFile(path));
}

ReadyFile::~ReadyFile() {
  std::error_code ignored;  // there is nobody left to tell
  fs::remove(path_, ignored);
}

}  // namespace vigil::apps
