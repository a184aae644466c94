// SPDX-License-Identifier: Apache-2.0
//
// Cores and programs of any bytes. The first byte says which: a core is read in this process, where
// the fuzzer sees the code; a program in a process of its own, for what libdw asserts is no
// finding.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/tools/core/isolated_evidence.h"
#include "vigil/tools/core/testing/core_file.h"

namespace {

// A file without a name, and the path by which it can be opened.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : number_(memfd_create("core_fuzz", 0)) {
    const ssize_t written = write(number_, content.data(), content.size());
    VIGIL_CHECK(written == static_cast<ssize_t>(content.size()), "memory takes a small file");
  }
  ~MemoryFile() { close(number_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }

 private:
  int number_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  using namespace vigil::tools;
  if (size == 0) return 0;
  const MemoryFile file({reinterpret_cast<const char*>(data) + 1, size - 1});
  const bool is_program = data[0] % 16 == 0;
  static const MemoryFile core(testing_core::core_file(2, 3));
  const Result<report::Evidence> evidence =
      is_program ? read_core_evidence_apart(core.path(), {file.path()})
                 : read_core_evidence(file.path(), {});
  VIGIL_CHECK(evidence || !evidence.error().message.empty(), "an error says something");
  return 0;
}
