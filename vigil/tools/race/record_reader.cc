// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/record_reader.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace vigil::tools::race {
namespace {

using report::RecordHeader;
using report::RecordKind;

constexpr std::size_t kAlignment = 8;

// One whole record of the stream; its size is right, its body is not checked yet.
class RecordView {
 public:
  RecordView(const RecordHeader& header, std::string_view bytes) : header_(header), bytes_(bytes) {}

  RecordKind kind() const { return header_.kind; }
  std::uint16_t process() const { return header_.process; }

  template <class Record>
  std::optional<Record> as() const {
    static_assert(std::is_trivially_copyable_v<Record>);
    if (bytes_.size() < sizeof(Record)) return std::nullopt;
    Record record;
    std::memcpy(&record, bytes_.data(), sizeof record);
    return record;
  }
  // What follows the fixed part. REQUIRES: as<Record>() gave one.
  template <class Record>
  std::string_view tail() const {
    return bytes_.substr(sizeof(Record));
  }
  template <class Record>
  std::string tail_text() const {
    const std::string_view whole = tail<Record>();
    return std::string(whole.substr(0, whole.find('\0')));
  }

 private:
  RecordHeader header_;
  std::string_view bytes_;
};

// Puts record after record into its place; false: this one makes no sense.
class Collector {
 public:
  bool take(const RecordView& record) {
    if (record.kind() == RecordKind::kStart) return start(record);
    const auto stream = streams_.find(record.process());
    if (stream == streams_.end()) return false;
    RecordedProcess& process = recording_.processes[stream->second.process];
    switch (record.kind()) {
      case RecordKind::kModule:
        return module(record, &process);
      case RecordKind::kStack:
        return stack(record, &process);
      case RecordKind::kThread:
        return keep<report::ThreadRecord>(record, [&](const auto& thread) {
          process.threads.insert_or_assign(thread.thread, thread);
        });
      case RecordKind::kDecision:
        return keep<report::DecisionRecord>(
            record, [&](const auto& decision) { process.decisions.push_back(decision); });
      case RecordKind::kEvent:
        ++process.events;
        return true;
      case RecordKind::kSummary:
        return keep<report::SummaryRecord>(record,
                                           [&](const auto& summary) { process.summary = summary; });
      case RecordKind::kNote:
        return keep<report::NoteRecord>(record, [&](const auto&) {
          process.notes.push_back(record.tail_text<report::NoteRecord>());
        });
      case RecordKind::kSuppressions:
        return keep<report::NoteRecord>(record, [&](const auto&) {
          process.suppressions.push_back(record.tail_text<report::NoteRecord>());
        });
      case RecordKind::kFinding:
        return keep<report::FindingRecord>(record, [&](const auto& finding) {
          process.findings.emplace_back().finding = finding;
          stream->second.in_finding = true;
        });
      default:
        return part_of_finding(record, &process, &stream->second.in_finding);
    }
  }

  Recording finish(bool truncated, std::uint64_t damaged) {
    recording_.truncated = truncated;
    recording_.damaged = damaged;
    return std::move(recording_);
  }

 private:
  // The records of one process.
  struct Stream {
    std::size_t process;  // its index
    bool in_finding;
  };

  template <class Record, class Keep>
  static bool keep(const RecordView& view, Keep keep) {
    const std::optional<Record> record = view.as<Record>();
    if (record) keep(*record);
    return record.has_value();
  }

  bool start(const RecordView& view) {
    const auto record = view.as<report::StartRecord>();
    if (!record || record->magic != report::kRecordMagic) return false;
    streams_.insert_or_assign(view.process(), Stream{recording_.processes.size(), false});
    recording_.processes.emplace_back().start = *record;
    return true;
  }

  static bool module(const RecordView& view, RecordedProcess* process) {
    return keep<report::ModuleRecord>(view, [&](const auto& record) {
      process->modules.push_back(
          {view.tail_text<report::ModuleRecord>(), record.begin, record.end, record.bias});
    });
  }

  static bool stack(const RecordView& view, RecordedProcess* process) {
    const auto record = view.as<report::StackRecord>();
    if (!record) return false;
    const std::string_view frames = view.tail<report::StackRecord>();
    if (frames.size() / sizeof(std::uint64_t) < record->count) return false;
    ReturnAddresses addresses(record->count);
    if (!addresses.empty())
      std::memcpy(addresses.data(), frames.data(), addresses.size() * sizeof(std::uint64_t));
    process->stacks.insert_or_assign(record->id, std::move(addresses));
    return true;
  }

  static bool part_of_finding(const RecordView& view, RecordedProcess* process, bool* in_finding) {
    if (view.kind() < RecordKind::kAccess || view.kind() > RecordKind::kFindingEnd) return true;
    if (!*in_finding) return false;
    RecordedFinding& finding = process->findings.back();
    switch (view.kind()) {
      case RecordKind::kAccess:
        return keep<report::AccessRecord>(
            view, [&](const auto& access) { finding.accesses.push_back(access); });
      case RecordKind::kLocation:
        return keep<report::LocationRecord>(
            view, [&](const auto& location) { finding.location = location; });
      case RecordKind::kWaiter:
        return keep<report::WaiterRecord>(
            view, [&](const auto& waiter) { finding.waiters.push_back(waiter); });
      case RecordKind::kLock:
        return keep<report::LockRecord>(view,
                                        [&](const auto& lock) { finding.locks.push_back(lock); });
      default:
        *in_finding = false;
        return true;
    }
  }

  Recording recording_;
  std::unordered_map<std::uint16_t, Stream> streams_;  // by the number in the header
};

}  // namespace

const ReturnAddresses& RecordedProcess::stack(report::StackId id) const {
  static const ReturnAddresses empty;
  const auto found = stacks.find(id);
  return found == stacks.end() ? empty : found->second;
}

const Module* RecordedProcess::module_at(std::uint64_t address) const {
  const auto found = std::find_if(modules.begin(), modules.end(), [&](const Module& module) {
    return module.begin <= address && address < module.end;
  });
  return found == modules.end() ? nullptr : &*found;
}

const report::ThreadRecord* RecordedProcess::thread(std::uint32_t number) const {
  const auto found = threads.find(number);
  return found == threads.end() ? nullptr : &found->second;
}

bool Recording::has_findings() const {
  return std::any_of(processes.begin(), processes.end(),
                     [](const RecordedProcess& process) { return !process.findings.empty(); });
}

Recording read_records(std::string_view bytes) {
  Collector collector;
  std::uint64_t damaged = 0;
  while (bytes.size() >= sizeof(RecordHeader)) {
    RecordHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.size < sizeof header || header.size % kAlignment != 0 || header.size > bytes.size())
      break;
    if (!collector.take(RecordView(header, bytes.substr(0, header.size)))) ++damaged;
    bytes.remove_prefix(header.size);
  }
  return collector.finish(!bytes.empty(), damaged);
}

}  // namespace vigil::tools::race
