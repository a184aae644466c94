// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/record_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>

namespace vigil::tools::race {
namespace {

using report::RecordKind;
using ::testing::ElementsAre;

// A stream as the runtime writes it.
class Stream {
 public:
  template <class Record>
  Stream& add(RecordKind kind, Record record, std::string_view tail = {},
              std::uint16_t process = 0) {
    const std::size_t size = (sizeof record + tail.size() + 7) / 8 * 8;
    record.header = {static_cast<std::uint32_t>(size), kind, process};
    const std::size_t begin = bytes_.size();
    bytes_.resize(begin + size);
    std::memcpy(bytes_.data() + begin, &record, sizeof record);
    tail.copy(bytes_.data() + begin + sizeof record, tail.size());
    return *this;
  }
  Stream& start(std::uint64_t seed, std::uint16_t process = 0) {
    report::StartRecord record{};
    record.magic = report::kRecordMagic;
    record.seed = seed;
    std::strcpy(record.strategy, "pct");
    return add(RecordKind::kStart, record, {}, process);
  }
  Stream& stack(report::StackId id, const std::vector<std::uint64_t>& addresses) {
    report::StackRecord record{};
    record.id = id;
    record.count = static_cast<std::uint32_t>(addresses.size());
    return add(RecordKind::kStack, record,
               {reinterpret_cast<const char*>(addresses.data()),
                addresses.size() * sizeof(std::uint64_t)});
  }
  Stream& finding(std::uint16_t process = 0) {
    return add(RecordKind::kFinding, report::FindingRecord{}, {}, process);
  }
  Stream& access(std::uint32_t thread, std::uint16_t process = 0) {
    report::AccessRecord record{};
    record.thread = thread;
    return add(RecordKind::kAccess, record, {}, process);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

Stream whole_stream() {
  Stream stream;
  report::ModuleRecord module{};
  module.begin = 0x1000;
  module.end = 0x2000;
  report::ThreadRecord thread{};
  thread.thread = 1;
  std::memcpy(thread.name, "sixteen letters!", sizeof thread.name);
  report::SummaryRecord summary{};
  summary.scheduling_points = 99;
  stream.start(7)
      .add(RecordKind::kModule, module, std::string_view("/bin/program\0", 13))
      .stack(5, {0x1100, 0x1200})
      .add(RecordKind::kThread, thread)
      .finding()
      .access(1)
      .access(0)
      .add(RecordKind::kLocation, report::LocationRecord{})
      .add(RecordKind::kWaiter, report::WaiterRecord{})
      .add(RecordKind::kLock, report::LockRecord{})
      .add(RecordKind::kFindingEnd, report::FindingEndRecord{})
      .add(RecordKind::kDecision, report::DecisionRecord{})
      .add(RecordKind::kEvent, report::EventRecord{})
      .add(RecordKind::kNote, report::NoteRecord{}, std::string_view("waited outside\0", 15))
      .add(RecordKind::kSummary, summary);
  return stream;
}

TEST(RecordReaderTest, EveryKindOfRecordFindsItsPlace) {
  const Recording recording = read_records(whole_stream().bytes());
  EXPECT_FALSE(recording.truncated);
  EXPECT_EQ(recording.damaged, 0U);
  ASSERT_EQ(recording.processes.size(), 1U);
  const RecordedProcess& process = recording.processes.front();
  EXPECT_EQ(process.start.seed, 7U);
  EXPECT_EQ(text_of(process.start.strategy), "pct");
  EXPECT_THAT(process.stack(5), ElementsAre(0x1100, 0x1200));
  ASSERT_NE(process.module_at(0x1fff), nullptr);
  EXPECT_EQ(process.module_at(0x1fff)->path, "/bin/program");
  EXPECT_EQ(process.module_at(0x2000), nullptr);
  ASSERT_NE(process.thread(1), nullptr);
  EXPECT_EQ(text_of(process.thread(1)->name), "sixteen letters!");
  ASSERT_EQ(process.findings.size(), 1U);
  EXPECT_EQ(process.findings[0].accesses.size(), 2U);
  EXPECT_EQ(process.findings[0].waiters.size(), 1U);
  EXPECT_EQ(process.findings[0].locks.size(), 1U);
  EXPECT_TRUE(process.findings[0].location.has_value());
  EXPECT_EQ(process.decisions.size(), 1U);
  EXPECT_EQ(process.events, 1U);
  EXPECT_THAT(process.notes, ElementsAre("waited outside"));
  EXPECT_EQ(process.summary->scheduling_points, 99U);
}

TEST(RecordReaderTest, AnEmptyStreamMeansThatNothingStarted) {
  const Recording recording = read_records("");
  EXPECT_FALSE(recording.started());
  EXPECT_FALSE(recording.truncated);
}

TEST(RecordReaderTest, AStreamCutAnywhereKeepsWhatCameBefore) {
  const std::string whole = whole_stream().bytes();
  std::size_t findings = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Recording recording = read_records(std::string_view(whole).substr(0, size));
    const std::size_t now = recording.has_findings() ? 1 : 0;
    EXPECT_GE(now, findings) << "cut at " << size;
    findings = now;
  }
  EXPECT_EQ(findings, 1U);
  EXPECT_TRUE(read_records(std::string_view(whole).substr(0, whole.size() - 1)).truncated);
}

TEST(RecordReaderTest, ProcessesAreToldApart) {
  Stream stream;
  stream.start(1).start(1, 77).finding(77).finding().access(3).access(9, 77);
  const Recording recording = read_records(stream.bytes());
  ASSERT_EQ(recording.processes.size(), 2U);
  EXPECT_EQ(recording.processes[0].findings[0].accesses[0].thread, 3U);
  EXPECT_EQ(recording.processes[1].findings[0].accesses[0].thread, 9U);
}

TEST(RecordReaderTest, PartsOfNoFindingAndRecordsOfNoProcessAreDamage) {
  Stream early;
  early.finding();
  EXPECT_EQ(read_records(early.bytes()).damaged, 1U);
  Stream stray;
  stray.start(1).access(1);
  EXPECT_EQ(read_records(stray.bytes()).damaged, 1U);
}

TEST(RecordReaderTest, AStackThatClaimsMoreFramesThanItHoldsIsDamage) {
  Stream stream;
  report::StackRecord record{};
  record.id = 1;
  record.count = 0xffff'ffff;
  stream.start(1).add(RecordKind::kStack, record);
  const Recording recording = read_records(stream.bytes());
  EXPECT_EQ(recording.damaged, 1U);
  EXPECT_TRUE(recording.processes[0].stack(1).empty());
}

TEST(RecordReaderTest, UnknownKindsArePassedOver) {
  Stream stream;
  stream.start(1).add(static_cast<RecordKind>(999), report::NoteRecord{}, "what").finding();
  const Recording recording = read_records(stream.bytes());
  EXPECT_EQ(recording.damaged, 0U);
  EXPECT_TRUE(recording.has_findings());
}

TEST(RecordReaderTest, AnImpossibleSizeEndsTheReading) {
  for (const std::uint32_t size : {0U, 4U, 12U, 0xffff'fff8U}) {
    std::string bytes = whole_stream().bytes();
    std::memcpy(bytes.data(), &size, sizeof size);
    const Recording recording = read_records(bytes);
    EXPECT_TRUE(recording.truncated) << size;
    EXPECT_FALSE(recording.started());
  }
}

TEST(RecordReaderTest, FlippedBytesNeverBreakTheReader) {
  const std::string whole = whole_stream().bytes();
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (int flips = 0; flips < 4; ++flips)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    const Recording recording = read_records(bytes);
    EXPECT_LE(recording.processes.size(), bytes.size() / sizeof(report::StartRecord));
  }
}

}  // namespace
}  // namespace vigil::tools::race
