// SPDX-License-Identifier: Apache-2.0
//
// Collisions: who collides with whom, on which object, and how sure that is. One bug in one map
// produces many reports (a hash table has many words); they share the unordered pair of first
// application functions, and that pair is the key. Line numbers are no part of it, so a key
// survives edits elsewhere in the file.
//
// Confidence follows from the finding:
//   certain   a race detector reported both stacks, or both accesses of a map finding (kMapWrites,
//             kMapReadAndWrite, kMapIterationAndWrite) have the same address, not 0
//   likely    both sides are seen, but that they use the same object is not proven: the addresses
//             of a map finding differ or are 0; the other access of a race has none, as in drd
//   one side  only one access has a stack
// A finding with more than two accesses is one collision of the first with each of the others.
//
// Thread safety: none; the result is plain values. Complexity: O(frames) per finding.
// Source of the key: the de-duplication that Uber published for Go's race detector (Chabbi and
// Ramanathan, "A Study of Real-World Data Races in Golang", PLDI 2022).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "vigil/report/report.h"
#include "vigil/tools/layers/layers.h"

namespace vigil::tools::evidence {

enum class Confidence : std::uint8_t { kCertain, kLikely, kOneSide };

// "certain", "likely", "one side".
std::string_view to_string(Confidence confidence);

// One of the two: its first application frame is the place.
struct Side {
  report::Operation operation = report::Operation::kUnknown;
  std::int64_t thread = -1;
  std::string thread_name;
  std::string function;  // as the evidence names it
  std::string file;
  int line = 0;
  layers::Layer layer = layers::Layer::kApplication;
  // The function that decided the layer, if that is another than `function`.
  std::string entry;
  report::Stack stack;
  report::Stack created_at;

  friend bool operator==(const Side&, const Side&) = default;
};

struct Collision {
  Confidence confidence = Confidence::kOneSide;
  report::Kind kind = report::Kind::kOther;
  std::string object;       // "user_cache", "std::unordered_map<int, User> at 0x7b04", or empty
  std::vector<Side> sides;  // one or two, in the order of the first finding
  std::uint64_t occurrences = 0;
  std::string key;      // see function_key(); equal for equal pairs
  std::string message;  // the headline of the first finding

  friend bool operator==(const Collision&, const Collision&) = default;
};

// Whether a finding has sides that collide; others are deadlocks, crashes, leaks and crashes on
// maps of which no thread was seen.
bool is_collision(const report::Finding& finding);

// One access of a finding, with its place and layer.
Side side_of(const report::Finding& finding, const report::Access& access,
             const layers::Rules& rules);

// Whether both sides change the object.
bool is_write_write(const Collision& collision);

// A function as part of a key: without parameters, template arguments and compiler suffixes.
// "Cache::put(int, int) [clone .isra.0]" -> "Cache::put".
std::string function_key(std::string_view function);

// Folds findings into collisions.
class CollisionTable {
 public:
  // `rules` outlives the table.
  explicit CollisionTable(const layers::Rules& rules) : rules_(rules) {}

  void add(const report::Finding& finding);

  // Most certain first, then most frequent, then by key.
  [[nodiscard]] std::vector<Collision> sorted() const;

 private:
  void add_pair(const report::Finding& finding, const report::Access& first,
                const report::Access* second);
  void merge(std::size_t index, Collision&& other, bool object_is_named);

  const layers::Rules& rules_;
  std::vector<Collision> collisions_;
  std::vector<bool> has_named_object_;                     // beside collisions_
  std::unordered_map<std::string, std::size_t> index_of_;  // by key
};

std::vector<Collision> collisions_of(const report::Evidence& evidence, const layers::Rules& rules);

}  // namespace vigil::tools::evidence
