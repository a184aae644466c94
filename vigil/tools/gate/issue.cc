// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/issue.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>

#include "vigil/text/hex.h"

namespace vigil::tools::gate {
namespace {

std::string rule_of(report::Kind kind) {
  if (kind == report::Kind::kRace) return "data-race";
  std::string rule(report::to_string(kind));
  std::replace(rule.begin(), rule.end(), ' ', '-');
  return rule;
}

std::string_view verb_of(report::Operation operation) {
  switch (operation) {
    case report::Operation::kRead:
    case report::Operation::kAtomicRead:
      return "reads";
    case report::Operation::kWrite:
    case report::Operation::kAtomicWrite:
      return "writes";
    case report::Operation::kFree:
      return "frees";
    case report::Operation::kMapRead:
      return "reads the map";
    case report::Operation::kMapWrite:
      return "writes the map";
    case report::Operation::kMapErase:
      return "deletes from the map";
    case report::Operation::kMapIterate:
      return "iterates over the map";
    case report::Operation::kUnknown:
      break;
  }
  return "takes part";
}

std::string_view base_name(std::string_view file) { return file.substr(file.rfind('/') + 1); }

// "std::map<int, User> at 0x7b04" is another one in every run; baselines keep titles.
std::string without_address(const std::string& object) {
  return object.substr(0, object.rfind(" at 0x"));
}

// What of a side is part of the fingerprint.
std::string identity_of(const evidence::Side& side) {
  return evidence::function_key(side.function) + "@" + std::string(base_name(side.file));
}

std::string fingerprint_of_sides(std::string_view rule, const std::vector<evidence::Side>& sides) {
  std::vector<std::string> identities;
  for (const evidence::Side& side : sides) identities.push_back(identity_of(side));
  std::sort(identities.begin(), identities.end());
  std::vector<std::string_view> parts = {rule};
  parts.insert(parts.end(), identities.begin(), identities.end());
  return fingerprint_of(parts);
}

std::string phrase_of(const evidence::Side& side) {
  return place_of(side) + " " + std::string(verb_of(side.operation));
}

std::string title_of(const Issue& issue) {
  std::string title = issue.rule;
  std::replace(title.begin(), title.end(), '-', ' ');
  if (!issue.object.empty()) title += " on " + issue.object;
  if (!issue.sides.empty()) title += ": " + phrase_of(issue.sides[0]);
  if (issue.sides.size() > 1) title += " while " + phrase_of(issue.sides[1]);
  return title;
}

void make_relative(report::Stack* stack, const SourcePaths& paths) {
  for (report::Frame& frame : *stack) frame.file = paths.relative(frame.file);
}

evidence::Side relative_side(evidence::Side side, const SourcePaths& paths) {
  side.file = paths.relative(side.file);
  make_relative(&side.stack, paths);
  make_relative(&side.created_at, paths);
  return side;
}

evidence::Side side_of(const report::Thread& thread, const layers::Rules& rules) {
  const layers::Attribution attribution = rules.attribute(thread.stack, thread.created_at);
  evidence::Side side;
  side.thread = thread.id;
  side.thread_name = thread.name;
  side.layer = attribution.layer;
  side.entry = attribution.entry;
  side.stack = thread.stack;
  side.created_at = thread.created_at;
  if (attribution.place < thread.stack.size()) {
    const report::Frame& frame = thread.stack[attribution.place];
    side.function = frame.function;
    side.file = frame.file;
    side.line = frame.line;
  }
  return side;
}

}  // namespace

std::string_view to_string(Issue::Status status) {
  switch (status) {
    case Issue::Status::kNew:
      return "new";
    case Issue::Status::kKnown:
      return "known";
    case Issue::Status::kSuppressed:
      return "suppressed";
  }
  return "unknown";
}

std::string fingerprint_of(const std::vector<std::string_view>& parts) {
  std::string text;
  for (const std::string_view part : parts) {
    text.append(std::to_string(part.size())).append(":").append(part);
  }
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return text::hex_digits(hash.high64) + text::hex_digits(hash.low64);
}

Issue issue_of(const evidence::Collision& collision, const SourcePaths& paths) {
  Issue issue;
  issue.rule = rule_of(collision.kind);
  issue.detector = "race detector";
  issue.object = without_address(collision.object);
  issue.confidence = evidence::to_string(collision.confidence);
  issue.write_write =
      collision.kind == report::Kind::kMapWrites || evidence::is_write_write(collision);
  issue.occurrences = collision.occurrences;
  for (const evidence::Side& side : collision.sides) {
    issue.sides.push_back(relative_side(side, paths));
  }
  // The detector's name for the finding is no part: the same two functions are the same bug whether
  // a race detector or the map's own check noticed them.
  issue.fingerprint = fingerprint_of_sides("conflict", issue.sides);
  issue.title = title_of(issue);
  return issue;
}

Issue issue_of(const report::Finding& finding, const SourcePaths& paths,
               const layers::Rules& rules) {
  Issue issue;
  issue.rule = rule_of(finding.kind);
  issue.detector = "race detector";
  issue.occurrences = finding.occurrences;
  issue.write_write = finding.kind == report::Kind::kMapWrites;
  for (const report::Thread& thread : finding.threads) {
    issue.sides.push_back(relative_side(side_of(thread, rules), paths));
  }
  if (issue.sides.empty()) {
    issue.fingerprint = fingerprint_of({issue.rule, finding.message});
    issue.title = finding.message.empty() ? issue.rule : issue.rule + ": " + finding.message;
    return issue;
  }
  issue.fingerprint = fingerprint_of_sides(issue.rule, issue.sides);
  issue.title = title_of(issue);
  return issue;
}

std::string place_of(const evidence::Side& side) {
  std::string place = side.function.empty() ? std::string("unknown function") : side.function;
  if (side.file.empty()) return place;
  place.append(" (").append(side.file);
  if (side.line > 0) place.append(":").append(std::to_string(side.line));
  return place.append(")");
}

}  // namespace vigil::tools::gate
