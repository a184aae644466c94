// SPDX-License-Identifier: Apache-2.0
//
// GoCrash: from `fatal error: concurrent map ...` and the goroutines printed after it to the two
// that collided.
//
// The goroutine that noticed stands first. What it did follows from the message: whoever finds the
// map's writing flag set by another says "writes" while writing, "read and map write" while
// reading, "iteration and map write" while iterating; the other one was writing. Which one that is
// must be looked for:
//   certain   its stack shows a changing map function with the same map pointer
//   likely    its stack shows a changing map function whose map is not shown; or, where Go hides
//             its own frames (GOTRACEBACK below system since Go 1.19), its innermost frame is the
//             function that noticed or a method of the same type, and it does not wait by its own
//             will. A goroutine in the same function is preferred to one in the same type, and
//             that to any other.
// Often nobody qualifies, because the other goroutine left the map before the world stopped.
//
// Thread safety: none. Memory: kCandidatesMax goroutines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/evidence/sink.h"

namespace vigil::tools::evidence {

// A goroutine of a dump.
struct Goroutine {
  report::Thread thread;
  report::Operation operation = report::Operation::kUnknown;  // on a map
  std::uint64_t map = 0;                                      // 0: not shown
};

class GoCrash {
 public:
  static constexpr std::size_t kCandidatesMax = 1024;

  // `headline` is the whole line: "fatal error: concurrent map writes", "panic: ...".
  explicit GoCrash(std::string_view headline);

  [[nodiscard]] bool is_about_maps() const;
  // A second "fatal error: ..." before the first goroutine: two goroutines noticed at once.
  [[nodiscard]] bool has_goroutines() const { return noticed_by_.has_value(); }
  void add(const Goroutine& goroutine);
  [[nodiscard]] report::Finding finding() const;

 private:
  // How well a goroutine fits as the other side: 0 not at all, kCertain surely.
  static constexpr int kCertain = 100;
  [[nodiscard]] int match(const Goroutine& other) const;
  [[nodiscard]] report::Access access_of(const Goroutine& goroutine) const;

  report::Kind kind_;
  std::string message_;
  std::optional<Goroutine> noticed_by_;
  std::vector<std::pair<int, Goroutine>> others_;  // with how well they fit
};

}  // namespace vigil::tools::evidence
