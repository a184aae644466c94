// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/plain_report.h"

#include "vigil/race/rt/detector/modules.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/report/report.h"

namespace vigil::race {
namespace {

constexpr int kFramesShown = 64;

// Gathers text and writes it in one piece. Too long a text is cut.
class Text {
 public:
  Text& operator<<(const char* text) {
    const std::size_t length = raw_length(text);
    if (length_ + length <= kCapacity) {
      raw_move(text_ + length_, text, length);
      length_ += length;
    }
    return *this;
  }

  Text& number(std::uint64_t value, unsigned base = 10) {
    char digits[24];
    std::size_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do {
      digits[--at] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    return *this << digits + at;
  }

  Text& address(std::uint64_t value) { return (*this << "0x").number(value, 16); }

  void write() {
    raw_syscall(SYS_write, 2, text_, length_);
    length_ = 0;
  }

 private:
  static constexpr std::size_t kCapacity = 64 << 10;
  std::size_t length_ = 0;
  char text_[kCapacity] = {};
};

struct State {
  Text text;  // used under the lock of the findings
};
constinit State state;

const char* headline(std::uint8_t kind) {
  switch (static_cast<report::Kind>(kind)) {
    case report::Kind::kRace:
      return "data race";
    case report::Kind::kUseAfterFree:
      return "use after free";
    case report::Kind::kDeadlock:
      return "deadlock";
    case report::Kind::kLostWakeUp:
      return "lost wake-up";
    case report::Kind::kLivelock:
      return "livelock";
    case report::Kind::kCrash:
      return "crash";
    case report::Kind::kLockMisuse:
      return "lock misuse";
    default:
      return "finding";
  }
}

const char* verb(std::uint8_t operation) {
  switch (static_cast<report::Operation>(operation)) {
    case report::Operation::kRead:
      return "read";
    case report::Operation::kWrite:
      return "write";
    case report::Operation::kAtomicRead:
      return "atomic read";
    case report::Operation::kAtomicWrite:
      return "atomic write";
    case report::Operation::kFree:
      return "free";
    default:
      return "at";
  }
}

void add_thread(std::uint32_t number) {
  state.text << "T";
  state.text.number(number);
  const char* const name = thread_info(number).name;
  if (name[0] != 0) state.text << " (" << name << ")";
}

const char* file_name(const char* path) {
  const char* name = path;
  for (const char* at = path; *at != 0; ++at) {
    if (*at == '/') name = at + 1;
  }
  return name;
}

void add_stack(StackId stack) {
  int frame = 0;
  for (; stack != 0 && frame < kFramesShown; stack = stack_tree.parent(stack), ++frame) {
    // The call lies before the address it returns to.
    const Address pc = stack_tree.pc(stack) - 1;
    state.text << "    #";
    state.text.number(static_cast<unsigned>(frame)) << " ";
    if (const Module* const module = find_module(pc)) {
      (state.text << file_name(module->path) << "+").address(pc - module->bias);
    } else {
      state.text.address(pc);
    }
    state.text << "\n";
  }
  if (frame == 0) state.text << "    (stack not known)\n";
}

void add_access(const report::AccessRecord& access, bool first) {
  state.text << (first ? "  " : "  earlier ") << verb(access.operation) << " of ";
  state.text.number(access.size) << " bytes at ";
  state.text.address(access.address) << " by ";
  add_thread(access.thread);
  state.text << "\n";
  add_stack(access.stack);
}

void add_location(const report::LocationRecord& location, Address address) {
  switch (static_cast<report::Location::Kind>(location.kind)) {
    case report::Location::Kind::kHeap:
      state.text << "  in a heap block of ";
      state.text.number(location.size) << " bytes at ";
      state.text.address(location.address) << ", allocated by ";
      add_thread(location.thread);
      state.text << "\n";
      add_stack(location.allocated_at);
      return;
    case report::Location::Kind::kStack:
      state.text << "  on the stack of ";
      add_thread(location.thread);
      state.text << "\n";
      return;
    default:
      if (const Module* const module = find_module(address)) {
        (state.text << "  in " << file_name(module->path) << "+").address(address - module->bias)
            << "\n";
      }
  }
}

void add_waiter(const report::WaiterRecord& waiter) {
  state.text << "  ";
  add_thread(waiter.thread);
  state.text << " waits in " << waiter.operation << " for ";
  state.text.address(waiter.object) << "\n";
  add_stack(waiter.stack);
  if (waiter.holder < 0) return;
  state.text << "   held by ";
  add_thread(static_cast<std::uint32_t>(waiter.holder));
  state.text << " since\n";
  add_stack(waiter.holder_stack);
}

void add_creation(std::uint32_t number) {
  if (number == 0) return;
  state.text << "  ";
  add_thread(number);
  state.text << " was created by ";
  add_thread(thread_info(number).created_by);
  state.text << "\n";
  add_stack(thread_info(number).created_at);
}

}  // namespace

void print_finding(const Finding& finding) {
  find_new_modules([](const Module&) {});
  state.text << "==================\nvigil race: " << headline(finding.kind) << "\n";
  for (std::size_t index = 0; index < finding.access_count; ++index) {
    add_access(finding.accesses[index], index == 0);
  }
  if (finding.has_location) add_location(finding.location, finding.address);
  for (std::size_t index = 0; index < finding.waiter_count; ++index) {
    add_waiter(finding.waiters[index]);
  }
  for (std::size_t index = 0; index < finding.access_count; ++index) {
    add_creation(finding.accesses[index].thread);
  }
  state.text << "  (names and source lines: with vigil in PATH, or under `vigil race run`)\n";
  state.text.write();
}

}  // namespace vigil::race
