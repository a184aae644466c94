// SPDX-License-Identifier: Apache-2.0
//
// Record: the bytes of each type, pinned, and what is refused.
#include "vigil/log/record.h"

#include <gtest/gtest.h>

#include <string>

#include "vigil/base/random.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

constexpr ChainKey kKey{0x12345678};

std::string hex(std::string_view bytes) {
  std::string digits;
  for (const char c : bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    digits += kDigits[static_cast<std::uint8_t>(c) >> 4];
    digits += kDigits[static_cast<std::uint8_t>(c) & 15];
  }
  return digits;
}

std::string bytes_of(const EncodedRecord& record, std::uint32_t before, Position position) {
  std::string bytes(record.bytes(), '\0');
  record.copy_to(bytes.data(), kKey.link(before, record.body_crc(), position));
  return bytes;
}

Record example(RecordType type) {
  Record record;
  record.type = type;
  record.shard = 63;
  record.version = 300;
  return record;
}

// The format: these bytes are on the disks of users.
TEST(RecordTest, TheBytesOfEachType) {
  Record stored = example(RecordType::kStored);
  stored.kind = cache::Kind::kOrder;
  stored.key = "k";
  stored.value = "vv";
  EXPECT_EQ(hex(bytes_of(encode(stored), 1, 2)).substr(8),
            "08"
            "09"
            "3f"
            "ac02"
            "01"
            "6b"
            "7676");
  stored.deadline_ms = 0x0102030405;
  EXPECT_EQ(hex(bytes_of(encode(stored), 1, 2)).substr(8),
            "0e"
            "29"
            "3f"
            "ac02"
            "050403020100"
            "01"
            "6b"
            "7676");
  Record removed = example(RecordType::kRemoved);
  removed.key = "k";
  removed.continues = true;
  EXPECT_EQ(hex(bytes_of(encode(removed), 1, 2)).substr(8),
            "05"
            "43"
            "3f"
            "ac02"
            "6b");
  Record deadline = example(RecordType::kDeadline);
  deadline.key = "k";
  EXPECT_EQ(hex(bytes_of(encode(deadline), 1, 2)).substr(8),
            "05"
            "02"
            "3f"
            "ac02"
            "6b");
  EXPECT_EQ(hex(bytes_of(encode(example(RecordType::kCleared)), 1, 2)).substr(8),
            "04"
            "04"
            "3f"
            "ac02");
  EXPECT_EQ(hex(bytes_of(encode(example(RecordType::kFloor)), 1, 2)).substr(8),
            "04"
            "07"
            "3f"
            "ac02");
  EXPECT_EQ(hex(bytes_of(encode_continued(), 1, 2)).substr(8),
            "01"
            "06");
  EXPECT_EQ(
      hex(bytes_of(encode_mark({MarkCause::kClosed, 1000, 0}, 1300, kKey), 1, 1300)).substr(8, 8),
      "07"
      "15"
      "ac02");
}

TEST(RecordTest, TheChainAndTheProofOfMarks) {
  EXPECT_EQ(hex(bytes_of(encode(example(RecordType::kCleared)), 1, 2)).substr(0, 8), "45df09dd");
  EXPECT_EQ(kKey.seed(4096), 3591477169U);
  EXPECT_EQ(kKey.mark_proof(1300, 300), 440832062U);
}

// 16 bytes of key and 100 of value: Redis's append-only file takes 28 more than these.
TEST(RecordTest, ASetTakesTwelveBytesOverKeyAndValue) {
  const std::string value(100, 'v');
  Record record = set_record("order:1234567890", value, 1'000'000);
  record.shard = 63;
  EXPECT_LE(encode(record).bytes(), 16U + 100 + 12);
  record.deadline_ms = 1'800'000'000'000;
  EXPECT_LE(encode(record).bytes(), 16U + 100 + 18 + 1);
}

TEST(RecordTest, ReadsBackWhatWasWritten) {
  Random random(vigil::testing::test_seed());
  for (int i = 0; i < 20'000; ++i) {
    OwnedRecord owned = random_record(random);
    owned.head.continues = random.below(2) == 0;
    const std::string bytes = bytes_of(encode(owned.record()), 7, 1000);
    const std::optional<RawRecord> raw = split_record(bytes);
    ASSERT_TRUE(raw);
    ASSERT_EQ(raw->bytes(), bytes.size());
    ASSERT_EQ(record_bytes(bytes.substr(0, kChainBytes + kSizeBytesMax)), bytes.size());
    ASSERT_TRUE(verifies(*raw, 7, 1000, kKey));
    const std::optional<Record> record = decode(raw->raw.content);
    ASSERT_TRUE(record);
    ASSERT_EQ(OwnedRecord(*record), owned);
  }
}

TEST(RecordTest, DoesNotVerifyElsewhere) {
  const std::string bytes = bytes_of(encode(set_record("key", "value")), 7, 1000);
  const std::optional<RawRecord> raw = split_record(bytes);
  ASSERT_TRUE(raw);
  EXPECT_FALSE(verifies(*raw, 8, 1000, kKey)) << "another record was before it";
  EXPECT_FALSE(verifies(*raw, 7, 1001, kKey)) << "it was at another position";
  EXPECT_FALSE(verifies(*raw, 7, 1000, ChainKey{0x12345679})) << "another run wrote it";
}

TEST(RecordTest, AMarkProvesItself) {
  for (const std::int64_t time_ms : {std::int64_t{0}, std::int64_t{1'800'000'000'000}}) {
    const Mark mark{MarkCause::kDurable, 900, time_ms};
    const std::string bytes = bytes_of(encode_mark(mark, 1000, kKey), 7, 1000);
    EXPECT_LE(bytes.size(), kMarkBytesMax);
    const std::string_view content = split_record(bytes)->raw.content;
    EXPECT_EQ(decode_mark(content, 1000, kKey), mark);
    EXPECT_FALSE(decode_mark(content, 1001, kKey));
    EXPECT_FALSE(decode_mark(content, 1000, ChainKey{1}));
  }
}

TEST(RecordTest, RefusesWhatIsNoRecord) {
  const auto content = [](std::initializer_list<int> bytes) {
    std::string text;
    for (const int byte : bytes) text += static_cast<char>(byte);
    return text;
  };
  EXPECT_TRUE(decode(content({0x03, 1, 1, 'k'})));
  EXPECT_FALSE(decode("")) << "nothing";
  EXPECT_FALSE(decode(content({0x00, 1, 1}))) << "no type";
  EXPECT_FALSE(decode(content({0x83, 1, 1}))) << "an unused bit";
  EXPECT_FALSE(decode(content({0x0B, 1, 1}))) << "a kind, of what is not stored";
  EXPECT_FALSE(decode(content({0x23, 1, 1, 0, 0, 0, 0, 0, 1}))) << "a deadline of a removal";
  EXPECT_FALSE(decode(content({0x03, 0x81, 0x00, 1}))) << "a needless byte";
  EXPECT_FALSE(decode(content({0x03, 1}))) << "a field is missing";
  EXPECT_FALSE(decode(content({0x01, 1, 1, 5, 'k'}))) << "a key that does not end";
  EXPECT_FALSE(decode(content({0x22, 1, 1, 0, 0, 0, 0, 0, 0}))) << "a deadline that is none";
  EXPECT_FALSE(decode(content({0x04, 1, 1, 'k'}))) << "a key of what has none";
  EXPECT_FALSE(decode(content({0x06, 1}))) << "something behind the end of a segment";
  EXPECT_FALSE(split_record(std::string(64, '\0'))) << "zeroes";
  EXPECT_FALSE(split_record(std::string("\0\0\0\0\x05xx", 7))) << "it does not end";
}

}  // namespace
}  // namespace vigil::log
