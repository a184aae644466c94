// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/finding_namer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace vigil::tools::race {
namespace {

template <class Enum>
Enum enum_of(std::uint8_t value, Enum last, Enum otherwise) {
  return value <= static_cast<std::uint8_t>(last) ? static_cast<Enum>(value) : otherwise;
}

bool same_modules(const std::vector<Module>& a, const std::vector<Module>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Module& x, const Module& y) {
    return x.path == y.path && x.begin == y.begin && x.end == y.end && x.bias == y.bias;
  });
}

std::string crash_message(int signal) {
  const char* const name = sigabbrev_np(signal);
  const char* const description = sigdescr_np(signal);
  if (name == nullptr || description == nullptr)
    return "the program was ended by signal " + std::to_string(signal);
  return "the program was ended by SIG" + std::string(name) + " (" + description + ")";
}

// "hits[abi:cxx11]" -> "hits": the tag is for the linker.
std::string without_abi_tag(std::string name) {
  const std::size_t begin = name.find("[abi:");
  const std::size_t end = begin == std::string::npos ? begin : name.find(']', begin);
  if (end != std::string::npos) name.erase(begin, end - begin + 1);
  return name;
}

// By the runtime's LockMisuse.
std::string misuse_message(std::uint8_t misuse) {
  constexpr std::array<const char*, 12> kMessages = {
      "",
      "a lock is unlocked that nobody holds",
      "a lock is unlocked by a thread that does not hold it",
      "a lock is destroyed while it is held",
      "a thread locks what it holds, and waits for itself",
      "locks are taken in two orders: threads that do so at the same time wait for one another",
      "the memory of a lock is freed while the lock is held",
      "a thread ends while it holds a lock",
      "an object is destroyed while a thread waits for it",
      "an object is initialised while a thread waits for it",
      "an object is used after it was destroyed, or before it was initialised",
      "threads wait for one condition variable with two mutexes",
  };
  return misuse < kMessages.size() ? kMessages[misuse] : "";
}

// What happened, in one sentence, where the kind alone does not say it.
std::string message_of(report::Kind kind, const report::FindingRecord& record) {
  switch (kind) {
    case report::Kind::kCrash:
      return crash_message(record.signal);
    case report::Kind::kDeadlock:
      return "every thread waits, and nothing can wake one";
    case report::Kind::kLostWakeUp:
      return "a thread waits for a notification that came before it waited";
    case report::Kind::kLivelock:
      return "threads run, and none gets on";
    case report::Kind::kUseAfterFree:
      return "a freed block is used";
    case report::Kind::kLockMisuse:
      return misuse_message(record.misuse);
    default:
      return "";
  }
}

}  // namespace

void FindingNamer::use_modules_of(const RecordedProcess& process) {
  if (symbolizer_ && same_modules(modules_, process.modules)) return;
  modules_ = process.modules;
  symbolizer_.emplace(modules_);
}

report::Stack FindingNamer::stack(const RecordedProcess& process, report::StackId id) {
  use_modules_of(process);
  const ReturnAddresses& addresses = process.stack(id);
  if (addresses.empty()) return {};
  report::Stack stack = symbolizer_->stack_of(addresses);
  // The runtime's own frames say nothing about the program, unless there are no others.
  const auto is_own = [](const report::Frame& frame) {
    return frame.function.starts_with("vigil::race::") ||
           frame.file.find("/vigil/race/rt/") != std::string::npos;
  };
  if (!std::all_of(stack.begin(), stack.end(), is_own)) std::erase_if(stack, is_own);
  return stack;
}

std::string FindingNamer::variable_at(std::uint64_t address) {
  const std::optional<report::Location> variable = symbolizer_->global_at(address);
  return variable ? without_abi_tag(variable->object) : "";
}

report::Lock FindingNamer::lock(const RecordedProcess& process, const report::LockRecord& record) {
  return {text_of(record.kind), variable_at(record.address), record.address,
          stack(process, record.acquired_at)};
}

report::Thread& FindingNamer::thread(const RecordedProcess& process, std::int64_t number,
                                     report::Finding* finding) {
  const auto known = std::find_if(finding->threads.begin(), finding->threads.end(),
                                  [&](const report::Thread& each) { return each.id == number; });
  if (known != finding->threads.end()) return *known;
  report::Thread thread;
  thread.id = number;
  const report::ThreadRecord* const record = process.thread(static_cast<std::uint32_t>(number));
  if (record != nullptr) {
    thread.name = text_of(record->name);
    if (number != 0) {
      thread.created_by = record->created_by;
      thread.created_at = stack(process, record->created_at);
    }
  }
  if (number == 0 && thread.name.empty()) thread.name = "main";
  finding->threads.push_back(std::move(thread));
  return finding->threads.back();
}

report::Location FindingNamer::location(const RecordedProcess& process,
                                        const RecordedFinding& recorded) {
  report::Location location;
  if (!recorded.location) return location;
  const report::LocationRecord& record = *recorded.location;
  location.kind =
      enum_of(record.kind, report::Location::Kind::kFile, report::Location::Kind::kUnknown);
  location.address = record.address;
  location.size = record.size;
  if (location.kind == report::Location::Kind::kGlobal) {
    if (std::optional<report::Location> variable = symbolizer_->global_at(record.address)) {
      variable->object = without_abi_tag(std::move(variable->object));
      return std::move(*variable);
    }
  } else {
    location.thread = record.thread;
    location.allocated_at = stack(process, record.allocated_at);
  }
  return location;
}

void FindingNamer::add_waiters(const RecordedProcess& process, const RecordedFinding& recorded,
                               report::Finding* finding) {
  for (const report::WaiterRecord& waiter : recorded.waiters) {
    report::Thread& waiting = thread(process, waiter.thread, finding);
    const std::string operation = text_of(waiter.operation);
    waiting.state = waiter.object == 0 ? operation : "blocked in " + operation;
    waiting.stack = stack(process, waiter.stack);
    waiting.waits_for = waiter.object;
    waiting.waits_for_thread = waiter.holder;
    if (waiter.holder < 0 || waiter.holder_stack == 0) continue;
    report::Lock held = {"lock", variable_at(waiter.object), waiter.object,
                         stack(process, waiter.holder_stack)};
    std::vector<report::Lock>& locks = thread(process, waiter.holder, finding).locks;
    if (std::find(locks.begin(), locks.end(), held) == locks.end())
      locks.push_back(std::move(held));
  }
}

report::Finding FindingNamer::name(const RecordedProcess& process,
                                   const RecordedFinding& recorded) {
  use_modules_of(process);
  report::Finding finding;
  finding.kind = enum_of(recorded.finding.kind, report::Kind::kOther, report::Kind::kOther);
  finding.message = message_of(finding.kind, recorded.finding);
  finding.scheduling_point = recorded.finding.scheduling_point;
  for (const report::AccessRecord& record : recorded.accesses) {
    report::Access& access = finding.accesses.emplace_back();
    access.thread = record.thread;
    access.operation =
        enum_of(record.operation, report::Operation::kMapIterate, report::Operation::kUnknown);
    access.address = record.address;
    access.size = record.size;
    access.stack = stack(process, record.stack);
    thread(process, record.thread, &finding);
  }
  // Those of the moment: what was held at the earlier access is not known any more.
  if (!finding.accesses.empty()) {
    for (const report::LockRecord& held : recorded.locks)
      finding.accesses.front().locks.push_back(lock(process, held));
  }
  add_waiters(process, recorded, &finding);
  finding.location = location(process, recorded);
  return finding;
}

}  // namespace vigil::tools::race
