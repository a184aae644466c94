// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/transition_table.h"

#include <algorithm>
#include <utility>

#include "vigil/base/hash.h"

namespace vigil::orders {
namespace {

constexpr std::size_t kStatusBytesMax = 64;

}  // namespace

TransitionTable TransitionTable::payment_default() {
  Result<TransitionTable> table = create({"pending"}, {{"pending", "processing"},
                                                       {"pending", "paid"},
                                                       {"pending", "failed"},
                                                       {"pending", "cancelled"},
                                                       {"pending", "expired"},
                                                       {"processing", "paid"},
                                                       {"processing", "failed"},
                                                       {"paid", "refunding"},
                                                       {"refunding", "refunded"},
                                                       {"refunding", "paid"}});
  return std::move(*table);
}

Result<TransitionTable> TransitionTable::create(const std::vector<std::string>& initial,
                                                const std::vector<Step>& steps) {
  if (initial.empty()) {
    return Error{"the transition table has no initial status: name at least one"};
  }
  TransitionTable table;
  for (const std::string& status : initial) {
    const Result<StatusId> id = table.intern(status);
    if (!id) return id.error();
    table.initial_.set(*id);
  }
  for (const Step& step : steps) {
    const Result<StatusId> from = table.intern(step.from);
    if (!from) return from.error();
    const Result<StatusId> to = table.intern(step.to);
    if (!to) return to.error();
    table.next_[*from].set(*to);
  }
  table.close();
  return table;
}

Result<TransitionTable> TransitionTable::numbered_as(const std::vector<std::string>& names) const {
  TransitionTable table;
  for (const auto* list : {&names, &names_}) {
    for (const std::string& name : *list) {
      const Result<StatusId> id = table.intern(name);
      if (!id) return id.error();
    }
  }
  const auto renumbered = [&](std::size_t status) { return *table.find(names_[status]); };
  for (std::size_t from = 0; from < names_.size(); ++from) {
    table.initial_[renumbered(from)] = initial_[from];
    for (std::size_t to = 0; to < names_.size(); ++to) {
      table.next_[renumbered(from)][renumbered(to)] = next_[from][to];
    }
  }
  table.first_initial_ = renumbered(first_initial_);
  table.close();
  return table;
}

std::uint64_t TransitionTable::fingerprint() const {
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < names_.size(); ++from) {
    if (initial_[from]) lines.push_back(names_[from]);
    for (std::size_t to = 0; to < names_.size(); ++to) {
      if (next_[from][to]) lines.push_back(names_[from] + '\0' + names_[to]);
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) {
    text.append(std::to_string(line.size())).append(":").append(line);
  }
  return xxh3(text);
}

Result<StatusId> TransitionTable::intern(const std::string& status) {
  if (status.empty() || status.size() > kStatusBytesMax) {
    return Error{"'" + status + "' is not a status: use 1 to " + std::to_string(kStatusBytesMax) +
                 " bytes"};
  }
  if (const std::optional<StatusId> known = find(status)) return *known;
  if (names_.size() == kStatusesMax) {
    return Error{"the transition table has more than " + std::to_string(kStatusesMax) +
                 " statuses; '" + status + "' is one too many"};
  }
  names_.push_back(status);
  return static_cast<StatusId>(names_.size() - 1);
}

// Warshall's algorithm.
void TransitionTable::close() {
  closure_ = next_;
  for (std::size_t via = 0; via < names_.size(); ++via) {
    for (std::size_t from = 0; from < names_.size(); ++from) {
      if (closure_[from][via]) closure_[from] |= closure_[via];
    }
  }
  from_start_ = initial_;
  for (std::size_t status = 0; status < names_.size(); ++status) {
    if (initial_[status]) from_start_ |= closure_[status];
  }
}

std::optional<StatusId> TransitionTable::find(std::string_view status) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == status) return static_cast<StatusId>(i);
  }
  return std::nullopt;
}

}  // namespace vigil::orders
