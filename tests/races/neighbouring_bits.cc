// SPDX-License-Identifier: Apache-2.0
//
// Two flags in the bits of one byte, each with a thread of its own: setting one reads and writes
// both. (Bit-fields are the same, but g++ does not instrument them.)
//
// EXPECT: race
// EXPECT-FRAME: set_paid | set_shipped
#include <atomic>
#include <cstdint>
#include <thread>

namespace {

#ifdef FIXED
std::atomic<std::uint8_t> flags{0};
#else
std::uint8_t flags = 0;
#endif

void set_paid() { flags |= std::uint8_t{1}; }
void set_shipped() { flags |= std::uint8_t{2}; }

}  // namespace

int main() {
  const std::jthread first(set_paid);
  const std::jthread second(set_shipped);
}
