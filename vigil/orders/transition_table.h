// SPDX-License-Identifier: Apache-2.0
//
// TransitionTable: the statuses an order may have and the steps between them.
//
// Thread safety: immutable after create().
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::orders {

class TransitionTable {
 public:
  static constexpr std::size_t kStatusesMax = 64;
  using StatusId = std::uint8_t;

  struct Step {
    std::string from;
    std::string to;
  };

  // The default of a payment gateway: pending -> processing, paid, failed, cancelled, expired;
  // processing -> paid, failed; paid -> refunding; refunding -> refunded, paid.
  static TransitionTable payment_default();

  // `initial` lists the statuses in which an order may be created. A status without a step out is
  // terminal. Staying in the same (non-terminal) status is always allowed.
  static Result<TransitionTable> create(const std::vector<std::string>& initial,
                                        const std::vector<Step>& steps);

  // The same statuses and steps, numbered so that the statuses called `names` have the numbers 0,
  // 1, ...: what is stored names statuses by number and outlives a change of the table. A name that
  // the table does not have becomes a terminal status. An error if that makes too many.
  [[nodiscard]] Result<TransitionTable> numbered_as(const std::vector<std::string>& names) const;

  [[nodiscard]] std::optional<StatusId> find(std::string_view status) const;
  [[nodiscard]] const std::string& name(StatusId status) const { return names_[status]; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool terminal(StatusId status) const { return next_[status].none(); }
  [[nodiscard]] bool initial(StatusId status) const { return initial_[status]; }
  [[nodiscard]] StatusId first_initial() const { return first_initial_; }
  [[nodiscard]] bool allowed(StatusId from, StatusId to) const {
    return from == to || next_[from][to];
  }
  [[nodiscard]] bool reachable(StatusId from, StatusId to) const {
    return from == to || closure_[from][to];
  }
  [[nodiscard]] bool reachable_from_start(StatusId to) const { return from_start_[to]; }

  // Equal for tables that have the same initial statuses and steps, however numbered.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  using StatusSet = std::bitset<kStatusesMax>;

  Result<StatusId> intern(const std::string& status);
  void close();

  std::vector<std::string> names_;
  StatusSet initial_;
  StatusId first_initial_ = 0;
  StatusSet from_start_;
  std::array<StatusSet, kStatusesMax> next_{};
  std::array<StatusSet, kStatusesMax> closure_{};
};

using StatusId = TransitionTable::StatusId;

}  // namespace vigil::orders
