// SPDX-License-Identifier: Apache-2.0
//
// The categories by which Redis's access control groups commands, those that vigild's commands are
// in; kOrder is vigil's own. COMMAND INFO shows them as "@string".
//
// Thread safety: constants.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vigil::server {

struct Category {
  enum Bit : std::uint32_t {
    kKeyspace = 1U << 0,
    kRead = 1U << 1,
    kWrite = 1U << 2,
    kString = 1U << 3,
    kOrder = 1U << 4,
    kPubSub = 1U << 5,
    kAdmin = 1U << 6,
    kFast = 1U << 7,
    kSlow = 1U << 8,
    kDangerous = 1U << 9,
    kConnection = 1U << 10,
    kScripting = 1U << 11,
  };

  Bit bit;
  std::string_view name;
};

// In the order in which Redis lists them.
inline constexpr std::array kCategories = {
    Category{Category::kKeyspace, "keyspace"},
    Category{Category::kRead, "read"},
    Category{Category::kWrite, "write"},
    Category{Category::kString, "string"},
    Category{Category::kOrder, "order"},
    Category{Category::kPubSub, "pubsub"},
    Category{Category::kAdmin, "admin"},
    Category{Category::kFast, "fast"},
    Category{Category::kSlow, "slow"},
    Category{Category::kDangerous, "dangerous"},
    Category{Category::kConnection, "connection"},
    Category{Category::kScripting, "scripting"},
};

}  // namespace vigil::server
