// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/ready_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

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
  const fs::path aside = fs::path(data_dir) / "vigild.ready.new";
  std::ofstream file(aside, std::ios::trunc);
  file << "pid=" << getpid() << "\nresp=" << resp_address << "\nhttp=" << http_address << "\n";
  file.close();
  if (!file) return Error{place + "vigild.ready cannot be written: " + std::strerror(errno)};
  fs::rename(aside, path, error);
  if (error) return Error{place + "vigild.ready cannot be put in place: " + error.message()};
  return std::unique_ptr<ReadyFile>(new ReadyFile(path));
}

ReadyFile::~ReadyFile() {
  std::error_code ignored;  // there is nobody left to tell
  fs::remove(path_, ignored);
}

}  // namespace vigil::apps
