// SPDX-License-Identifier: Apache-2.0
//
// Finds where the records of a segment verify again behind a hole, and the salt of a segment that
// lost its header: what a repair goes by.
//
// A record is taken for one if two that follow verify after it, one after the other: 64 bits that
// agree. A mark counts for two, because it has a proof of its own, and so do zeroes behind a
// record, as at the log's end.
//
// Thread safety: pure functions of the bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "vigil/log/record.h"

namespace vigil::log {

struct FoundRecords {
  std::size_t offset = 0;   // of the first record that verifies
  std::uint32_t chain = 0;  // that it continues
};

// In `bytes`, which begin at `position` of the run of `key`.
[[nodiscard]] std::optional<FoundRecords> find_records(std::string_view bytes, Position position,
                                                       const ChainKey& key);

// Of the run that wrote `bytes`, the records of a segment from `first` on.
[[nodiscard]] std::optional<ChainKey> find_key(std::string_view bytes, Position first);

}  // namespace vigil::log
