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

  [[nodiscard]] std::optional<StatusId> find(std::string_view status) const;
  [[nodiscard]] const std::string& name(StatusId status) const { return names_[status]; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool terminal(StatusId status) const { return next_[status].none(); }
  [[nodiscard]] bool initial(StatusId status) const { return initial_[status]; }
  [[nodiscard]] bool allowed(StatusId from, StatusId to) const {
    return from == to || next_[from][to];
  }
  [[nodiscard]] bool reachable(StatusId from, StatusId to) const {
    return from == to || closure_[from][to];
  }
  [[nodiscard]] bool reachable_from_start(StatusId to) const { return from_start_[to]; }

 private:
  using StatusSet = std::bitset<kStatusesMax>;

  Result<StatusId> intern(const std::string& status);
  void close();

  std::vector<std::string> names_;
  StatusSet initial_;
  StatusSet from_start_;
  std::array<StatusSet, kStatusesMax> next_{};
  std::array<StatusSet, kStatusesMax> closure_{};
};

using StatusId = TransitionTable::StatusId;

}  // namespace vigil::orders
