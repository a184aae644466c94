// SPDX-License-Identifier: Apache-2.0
//
// The readers of documents: the first byte chooses JSON of vigil, SARIF, XML of valgrind, or lets
// the input be recognised.
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

#include "vigil/tools/evidence/collision.h"
#include "vigil/tools/evidence/evidence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  using namespace vigil::tools;
  if (size == 0) return 0;
  static constexpr const char* kFormats[] = {"", "vigil-race", "sarif", "valgrind-xml"};
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data + 1), size - 1));
  const evidence::ReadOptions options{
      .format = kFormats[data[0] % 4], .on_text = {}, .on_sarif = {}};
  const Result<report::Evidence> read = evidence::read_evidence(stream, "fuzz", options);
  if (read) evidence::collisions_of(*read, layers::Rules::defaults());
  return 0;
}
