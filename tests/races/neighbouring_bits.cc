// SPDX-License-Identifier: Apache-2.0
//
// Two bit-fields of one byte, each with a thread of its own: writing one reads and writes both.
//
// EXPECT: race
// EXPECT-FRAME: set_paid | set_shipped
#include <thread>

namespace {

struct Flags {
#ifdef FIXED
  bool paid;
  bool shipped;
#else
  bool paid : 1;
  bool shipped : 1;
#endif
};

Flags flags;

void set_paid() { flags.paid = true; }
void set_shipped() { flags.shipped = true; }

}  // namespace

int main() {
  const std::jthread first(set_paid);
  const std::jthread second(set_shipped);
}
