// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/record_search.h"

#include "vigil/log/crc32c.h"
#include "vigil/log/segment.h"

namespace vigil::log {
namespace {

// A record with plausible content: cheap to refuse, so that few checksums are computed.
std::optional<RawRecord> plausible_record(std::string_view bytes) {
  const std::optional<RawRecord> record = split_record(bytes);
  if (!record) return {};
  const std::string_view content = record->raw.content;
  if (type_of(content) == RecordType::kMark ? content.size() < kMarkBytesMax
                                            : decode(content).has_value()) {
    return record;
  }
  return {};
}

bool is_mark(const RawRecord& record, Position position, const ChainKey& key) {
  return type_of(record.raw.content) == RecordType::kMark &&
         decode_mark(record.raw.content, position, key).has_value();
}

}  // namespace

std::optional<FoundRecords> find_records(std::string_view bytes, Position position,
                                         const ChainKey& key) {
  constexpr int kProofs = 2;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    // What is at i is not verified; what follows it may be.
    const std::optional<RawRecord> before = plausible_record(bytes.substr(i));
    if (!before) continue;
    std::size_t at = i + before->bytes();
    const std::size_t found = at;
    std::uint32_t chain = before->chain;
    int proofs = 0;
    while (proofs < kProofs) {
      const std::optional<RawRecord> record = plausible_record(bytes.substr(at));
      if (!record || !verifies(*record, chain, position + at, key)) break;
      proofs += is_mark(*record, position + at, key) ? 2 : 1;
      chain = record->chain;
      at += record->bytes();
      const std::string_view behind = bytes.substr(at, kTerminatorBytes);
      if (behind.find_first_not_of('\0') == std::string_view::npos) ++proofs;
    }
    if (proofs >= kProofs) return FoundRecords{found, before->chain};
  }
  return {};
}

// The second record says what key made its chain out of the first one's; the first and the third
// confirm it.
std::optional<ChainKey> find_key(std::string_view bytes, Position first) {
  const std::optional<RawRecord> one = split_record(bytes);
  if (!one) return {};
  const std::optional<RawRecord> two = split_record(bytes.substr(one->bytes()));
  if (!two) return {};
  const ChainKey key =
      ChainKey::of_link(one->chain, crc32c(two->raw.body), first + one->bytes(), two->chain);
  if (!verifies(*one, key.seed(first), first, key)) return {};
  return key;
}

}  // namespace vigil::log
