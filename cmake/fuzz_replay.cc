// SPDX-License-Identifier: Apache-2.0
//
// main() of a fuzz target in builds without libFuzzer: runs the target once on the empty input and
// once on each file of the folders given. A folder without a file is a failure, because a replay
// of nothing proves nothing.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void replay(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  run({std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()});
}

}  // namespace

int main(int argc, char** argv) {
  run("");
  for (int i = 1; i < argc; ++i) {
    const std::vector<fs::path> files = files_of(argv[i]);
    if (files.empty()) {
      std::fprintf(stderr, "%s: no inputs to replay\n", argv[i]);
      return 1;
    }
    for (const fs::path& file : files) replay(file);
    std::printf("%s: replayed %zu inputs\n", argv[i], files.size());
  }
  return 0;
}
