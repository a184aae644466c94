// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/segment.h"

namespace vigil::log {
namespace {

constexpr std::string_view kMagic = "VIGILLOG";

constexpr std::uint32_t kZeroFilled = 1;
constexpr std::uint32_t kFirstOfRun = 2;

// Where the fields lie, as segment.h says.
constexpr std::size_t kFirstAt = 16;
constexpr std::size_t kEndAt = 24;
constexpr std::size_t kSaltAt = 32;
constexpr std::size_t kChainAt = 36;
constexpr std::size_t kFlagsAt = 40;
constexpr std::size_t kShardsAt = 44;
constexpr std::size_t kTransitionsAt = 48;
constexpr std::size_t kCreatedAt = 56;
constexpr std::size_t kPreviousFirstAt = 64;
constexpr std::size_t kPreviousSaltAt = 72;
constexpr std::size_t kHashNameAt = 76;
constexpr std::size_t kGivenUpAt = 96;

}  // namespace

bool SegmentHeader::operator==(const SegmentHeader& other) const {
  return encode_header(*this) == encode_header(other);
}

std::string encode_header(const SegmentHeader& header) {
  HeaderBlock block(kMagic);
  block.put64(kFirstAt, header.first);
  block.put64(kEndAt, header.end);
  block.put32(kSaltAt, header.key.salt);
  block.put32(kChainAt, header.chain);
  block.put32(kFlagsAt,
              (header.zero_filled ? kZeroFilled : 0) | (header.first_of_run ? kFirstOfRun : 0));
  block.put32(kShardsAt, header.identity.shards);
  block.put64(kTransitionsAt, header.identity.transitions_hash);
  block.put64(kCreatedAt, static_cast<std::uint64_t>(header.created_ms));
  block.put64(kPreviousFirstAt, header.previous_first);
  block.put32(kPreviousSaltAt, header.previous_key.salt);
  block.put_name(kHashNameAt, header.identity.hash);
  block.put64(kGivenUpAt, header.given_up_bytes);
  return block.finish();
}

Result<SegmentHeader> decode_header(std::string_view bytes) {
  const Result<HeaderView> block = HeaderView::check(bytes, kMagic, "a segment of a log");
  if (!block) return block.error();
  SegmentHeader header;
  header.first = block->get64(kFirstAt);
  header.end = block->get64(kEndAt);
  header.key.salt = block->get32(kSaltAt);
  header.chain = block->get32(kChainAt);
  header.zero_filled = (block->get32(kFlagsAt) & kZeroFilled) != 0;
  header.first_of_run = (block->get32(kFlagsAt) & kFirstOfRun) != 0;
  header.identity.shards = block->get32(kShardsAt);
  header.identity.transitions_hash = block->get64(kTransitionsAt);
  header.created_ms = static_cast<std::int64_t>(block->get64(kCreatedAt));
  header.previous_first = block->get64(kPreviousFirstAt);
  header.previous_key.salt = block->get32(kPreviousSaltAt);
  header.identity.hash = block->get_name(kHashNameAt);
  header.given_up_bytes = block->get64(kGivenUpAt);
  if (header.end <= header.first) return Error{"its header says that it ends before it begins"};
  return header;
}

}  // namespace vigil::log
