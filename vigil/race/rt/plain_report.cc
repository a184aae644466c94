// SPDX-License-Identifier: Apache-2.0
//
// A finding as text on standard error, for programs started without `vigil race run`: places as
// module+offset, which addr2line understands. Context: interceptor, signal.
#include "vigil/race/rt/findings.h"
#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/modules.h"
#include "vigil/race/rt/raw_memory.h"
#include "vigil/race/rt/raw_syscall.h"
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
  char text_[kCapacity];
};

Text text;  // used under the lock of the findings

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
  text << "T";
  text.number(number);
  const char* const name = thread_info(number).name;
  if (name[0] != 0) text << " (" << name << ")";
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
    text << "    #";
    text.number(static_cast<unsigned>(frame)) << " ";
    if (const Module* const module = find_module(pc)) {
      (text << file_name(module->path) << "+").address(pc - module->bias);
    } else {
      text.address(pc);
    }
    text << "\n";
  }
  if (frame == 0) text << "    (stack not known)\n";
}

void add_access(const report::AccessRecord& access, bool first) {
  text << (first ? "  " : "  earlier ") << verb(access.operation) << " of ";
  text.number(access.size) << " bytes at ";
  text.address(access.address) << " by ";
  add_thread(access.thread);
  text << "\n";
  add_stack(access.stack);
}

void add_location(const report::LocationRecord& location, Address address) {
  switch (static_cast<report::Location::Kind>(location.kind)) {
    case report::Location::Kind::kHeap:
      text << "  in a heap block of ";
      text.number(location.size) << " bytes at ";
      text.address(location.address) << ", allocated by ";
      add_thread(location.thread);
      text << "\n";
      add_stack(location.allocated_at);
      return;
    case report::Location::Kind::kStack:
      text << "  on the stack of ";
      add_thread(location.thread);
      text << "\n";
      return;
    default:
      if (const Module* const module = find_module(address)) {
        (text << "  in " << file_name(module->path) << "+").address(address - module->bias) << "\n";
      }
  }
}

void add_waiter(const report::WaiterRecord& waiter) {
  text << "  ";
  add_thread(waiter.thread);
  text << " waits in " << waiter.operation << " for ";
  text.address(waiter.object) << "\n";
  add_stack(waiter.stack);
  if (waiter.holder < 0) return;
  text << "   held by ";
  add_thread(static_cast<std::uint32_t>(waiter.holder));
  text << " since\n";
  add_stack(waiter.holder_stack);
}

void add_creation(std::uint32_t number) {
  if (number == 0) return;
  text << "  ";
  add_thread(number);
  text << " was created by ";
  add_thread(thread_info(number).created_by);
  text << "\n";
  add_stack(thread_info(number).created_at);
}

}  // namespace

void print_finding(const Found& found) {
  find_new_modules([](const Module&) {});
  text << "==================\nvigil race: " << headline(found.kind) << "\n";
  for (std::size_t index = 0; index < found.access_count; ++index) {
    add_access(found.accesses[index], index == 0);
  }
  if (found.has_location) add_location(found.location, found.address);
  for (std::size_t index = 0; index < found.waiter_count; ++index) {
    add_waiter(found.waiters[index]);
  }
  for (std::size_t index = 0; index < found.access_count; ++index) {
    add_creation(found.accesses[index].thread);
  }
  text << "  (run it under `vigil race run` to see names and source lines)\n";
  text.write();
}

}  // namespace vigil::race
