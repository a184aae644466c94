// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/replay_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace vigil::tools::race {
namespace {

constexpr std::string_view kFirstLine = "vigil replay 1";
constexpr std::array<std::string_view, 3> kDecisions = {"run", "clock", "choice"};

// The text up to the next line break, which is taken away with it.
std::string_view take_line(std::string_view* text) {
  const std::size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool set_number(std::string_view value, std::uint64_t* number) {
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, *number);
  return error == std::errc() && stop == end;
}

bool set_word(std::string_view value, std::string* word) {
  *word = value;
  return !value.empty() && value.find(' ') == std::string_view::npos;
}

bool set_line(std::string_view line, ReplayFile* replay) {
  const std::size_t space = line.find(' ');
  const std::string_view key = line.substr(0, space);
  const std::string_view value = space == std::string_view::npos ? "" : line.substr(space + 1);
  if (std::find(kDecisions.begin(), kDecisions.end(), key) != kDecisions.end()) {
    if (replay->decisions) replay->decisions->append(line).append("\n");
    return replay->decisions.has_value();
  }
  if (line == "follow decisions") {
    replay->decisions.emplace();
    return true;
  }
  if (key == "conflicts") return set_word(value, &replay->conflicts);
  if (key == "finding") {
    replay->finding = value;
    return true;
  }
  if (key == "seed") return set_number(value, &replay->seed);
  if (key == "depth") return set_number(value, &replay->depth);
  if (key == "schedule-hash") return set_number(value, &replay->schedule_hash);
  if (key == "strategy") return set_word(value, &replay->strategy);
  if (key == "points") return set_word(value, &replay->points);
  if (key == "time") return set_word(value, &replay->time);
  return false;
}

// Each line of `lines` with `before` in front.
std::string prefixed(std::string_view lines, std::string_view before) {
  std::string text;
  while (!lines.empty()) text.append(before).append(take_line(&lines)).append("\n");
  return text;
}

}  // namespace

void ReplayFile::apply_to(RaceOptions* options) const {
  options->mode = "controlled";
  options->seed = seed;
  options->strategy = strategy;
  options->depth = depth;
  options->points = points;
  options->conflicts = conflicts;
  options->time = time;
}

std::string to_text(const ReplayFile& replay) {
  std::string text = std::string(kFirstLine) + "\n" + prefixed(replay.recipe, "# ");
  text += "seed " + std::to_string(replay.seed) + "\nstrategy " + replay.strategy + "\ndepth " +
          std::to_string(replay.depth) + "\npoints " + replay.points + "\ntime " + replay.time +
          "\n";
  if (replay.schedule_hash != 0)
    text += "schedule-hash " + std::to_string(replay.schedule_hash) + "\n";
  if (!replay.finding.empty()) text += "finding " + replay.finding + "\n";
  if (!replay.conflicts.empty()) text += "conflicts " + replay.conflicts + "\n";
  return replay.decisions ? text + "follow decisions\n" + *replay.decisions : text;
}

bool is_replay_file(std::string_view text) { return text.starts_with("vigil replay "); }

Result<ReplayFile> parse_replay_file(std::string_view text, std::string_view name) {
  ReplayFile replay;
  if (take_line(&text) != kFirstLine) {
    return Error{std::string(name) +
                 ": not a replay file of this version: its first line is not \"" +
                 std::string(kFirstLine) + "\""};
  }
  for (std::size_t number = 2; !text.empty(); ++number) {
    const std::string_view line = take_line(&text);
    if (line.starts_with("# ")) {
      replay.recipe.append(line.substr(2)).append("\n");
      continue;
    }
    if (line.empty() || line.starts_with("#")) continue;
    if (!set_line(line, &replay)) {
      return Error{std::string(name) + ":" + std::to_string(number) + ": not understood: \"" +
                   std::string(line) + "\""};
    }
  }
  return replay;
}

}  // namespace vigil::tools::race
