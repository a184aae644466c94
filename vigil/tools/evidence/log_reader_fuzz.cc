// SPDX-License-Identifier: Apache-2.0
//
// The text readers: the first byte chooses one of them, or all, and where the text is cut.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/evidence/collision.h"
#include "vigil/tools/evidence/evidence.h"
#include "vigil/tools/evidence/log_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::tools;
  if (size == 0) return 0;
  const auto formats = evidence::formats();
  const std::size_t choice = data[0] % (formats.size() + 1);
  const std::string_view format = choice == formats.size() ? "" : formats[choice].name;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  evidence::Collector collector("fuzz");
  evidence::LogReader reader(collector, format);
  const std::size_t cut = text.size() * (data[0] / 16U) / 16;
  reader.feed(text.substr(0, cut));
  reader.feed(text.substr(cut));
  reader.finish();
  evidence::collisions_of(collector.take(), layers::Rules::defaults());
  return 0;
}
