// SPDX-License-Identifier: Apache-2.0
#include "vigil/thread_dump/dump.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "vigil/stacks/fault_guard.h"

namespace vigil::thread_dump {

using stacks::CapturedMark;
using stacks::CapturedStack;
using stacks::ElfNames;
using stacks::NamedAddress;
using stacks::TaskFacts;

namespace {

std::string_view word(const auto& array) {
  return {array.data(), strnlen(array.data(), array.size())};
}

bool blocks(const TaskFacts& facts, int signal) {
  return (facts.blocked_signals >> (signal - 1) & 1) != 0;
}

void write_state(const TaskFacts& facts, TextWriter* out) {
  const std::string_view call = stacks::syscall_name(facts.syscall);
  switch (facts.state) {
    case 'R':
      out->text("running");
      return;
    case 'T':
    case 't':
      out->text("stopped");
      return;
    case 'Z':
    case 'X':
      out->text("dead");
      return;
    default:
      break;
  }
  if (!call.empty()) {
    out->text("blocked in ").text(call);
  } else if (facts.syscall >= 0) {
    out->text("blocked in system call ").decimal(static_cast<std::uint64_t>(facts.syscall));
  } else if (facts.wait_channel[0] != '\0') {
    out->text("blocked in the kernel's ").text(word(facts.wait_channel));
  } else {
    out->text(facts.state == 'D' ? "blocked in the kernel" : "sleeping");
  }
}

}  // namespace

void write_map(const MapOfLine& map, TextWriter* out) {
  out->text(kind_of(map.operation)).text(": ").quoted(map.name);
  if (!map.type.empty()) out->text(" (").text(map.type).text(")");
  out->text(" at ").hex(reinterpret_cast<std::uintptr_t>(map.map));
}

void Dump::write(TextSink sink) {
  list();
  capture();
  name_addresses();
  TextWriter out(sink);
  out.text("=== vigil thread dump of process ").decimal(static_cast<std::uint64_t>(getpid()));
  out.text(": ").decimal(thread_count_).text(" threads, ").text(request_.reason).text(" ===\n\n");
  for (std::size_t i = 0; i < thread_count_; ++i) {
    if (memory_->threads[i] == request_.fatal_thread) write_thread(i, &out);
  }
  for (std::size_t i = 0; i < thread_count_ && !request_.is_single; ++i) {
    if (memory_->threads[i] != request_.fatal_thread) write_thread(i, &out);
  }
  out.text("=== end of thread dump: ").decimal(answer_count_).text(" of ").decimal(thread_count_);
  out.text(request_.is_single ? " threads shown ===\n" : " threads answered ===\n");
  release_stacks();
}

void Dump::list() {
  const std::size_t count = stacks::list_threads(memory_->threads);
  for (std::size_t i = 0; i < count; ++i) {
    const pid_t thread = memory_->threads[i];
    if (thread == request_.hidden_thread) continue;
    TaskFacts* facts = &memory_->facts[thread_count_];
    if (!stacks::read_task_facts(thread, facts)) continue;  // it ended meanwhile
    memory_->threads[thread_count_++] = thread;
  }
}

void Dump::capture() {
  const auto self = static_cast<pid_t>(gettid());
  for (std::size_t i = 0; i < thread_count_; ++i) {
    const pid_t thread = memory_->threads[i];
    if (thread == request_.fatal_thread || request_.is_single) continue;
    if (thread == self) {
      stacks::capture_self(&memory_->stacks[i]);
    } else if (!blocks(memory_->facts[i], stacks::capture_signal())) {
      stacks::request_capture(thread, &memory_->stacks[i]);
    }
  }
  stacks::await_captures({memory_->stacks.data(), thread_count_}, request_.limit_ms);
  if (!request_.is_single) capture_late();
  for (std::size_t i = 0; i < thread_count_; ++i) {
    if (stack_of(i) != nullptr) ++answer_count_;
  }
}

void Dump::capture_late() {
  constexpr int kLooks = 10;
  constexpr timespec kBetween{.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int look = 0; look < kLooks; ++look) {
    bool some_block = false;
    for (std::size_t i = 0; i < thread_count_; ++i) {
      const pid_t thread = memory_->threads[i];
      if (stack_of(i) != nullptr || !blocks(memory_->facts[i], stacks::capture_signal())) continue;
      TaskFacts now;
      if (!stacks::read_task_facts(thread, &now)) continue;
      some_block = some_block || blocks(now, stacks::capture_signal());
      if (blocks(now, stacks::capture_signal())) continue;
      memory_->facts[i] = now;
      stacks::request_capture(thread, &memory_->stacks[i]);
    }
    stacks::await_captures({memory_->stacks.data(), thread_count_}, request_.limit_ms);
    if (!some_block) return;
    nanosleep(&kBetween, nullptr);
  }
}

const CapturedStack* Dump::stack_of(std::size_t thread) const {
  const pid_t id = memory_->threads[thread];
  if (id == request_.fatal_thread) return &memory_->fatal_stack;
  const CapturedStack& stack = memory_->stacks[thread];
  return stacks::is_answered(stack, id) ? &stack : nullptr;
}

void Dump::add_address(std::uintptr_t address) {
  if (address_count_ == memory_->addresses.size()) return;
  memory_->addresses[address_count_++] = {address, {}, 0, {}, 0};
}

void Dump::name_addresses() {
  for (std::size_t i = 0; i < thread_count_; ++i) {
    const CapturedStack* stack = stack_of(i);
    if (stack == nullptr) {
      if (memory_->facts[i].pc != 0) add_address(memory_->facts[i].pc);
      continue;
    }
    for (const std::uintptr_t address : stack->frames()) add_address(address);
  }
  const auto begin = memory_->addresses.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(address_count_);
  std::sort(begin, end, [](const auto& a, const auto& b) { return a.address < b.address; });
  const auto last =
      std::unique(begin, end, [](const auto& a, const auto& b) { return a.address == b.address; });
  address_count_ = static_cast<std::size_t>(last - begin);
  // A file that shrinks under its mapping faults: then the addresses after it have no names.
  struct Arguments {
    ElfNames* names;
    std::span<NamedAddress> addresses;
  } arguments{&names_, {memory_->addresses.data(), address_count_}};
  stacks::run_guarded(
      [](void* argument) {
        auto* const a = static_cast<Arguments*>(argument);
        a->names->assign(a->addresses);
      },
      &arguments);
}

void Dump::write_thread(std::size_t thread, TextWriter* out) const {
  const TaskFacts& facts = memory_->facts[thread];
  const CapturedStack* stack = stack_of(thread);
  out->text("thread ").decimal(static_cast<std::uint64_t>(facts.thread)).text(" ");
  out->quoted(word(facts.name)).text(": ");
  if (facts.thread == request_.fatal_thread) {
    out->text("running, fatal\n");
  } else {
    write_state(facts, out);
    out->text("\n");
  }
  if (stack == nullptr) {
    out->text(blocks(facts, stacks::capture_signal()) ? "  no answer: it blocks signals\n"
                                                      : "  no answer: time was up\n");
    if (facts.pc != 0) write_frame(0, facts.pc, out);
    out->text("\n");
    return;
  }
  if (const CapturedMark& mark = stack->mark; mark.operation != MapOperation::kNone) {
    out->text("  ");
    write_map({mark.operation, word(mark.name), word(mark.type), mark.map}, out);
    out->text(mark.sharing == MapSharing::kConcurrent ? ", concurrent\n" : "\n");
  }
  for (std::size_t i = 0; i < stack->frame_count; ++i) write_frame(i, stack->addresses[i], out);
  if (stack->has_more) out->text("  (deeper frames are left out)\n");
  if (stack->is_damaged) out->text("  (the stack is damaged from here)\n");
  out->text("\n");
}

void Dump::write_frame(std::size_t number, std::uintptr_t address, TextWriter* out) const {
  const auto end = memory_->addresses.begin() + static_cast<std::ptrdiff_t>(address_count_);
  const auto found = std::lower_bound(
      memory_->addresses.begin(), end, address,
      [](const NamedAddress& a, std::uintptr_t value) { return a.address < value; });
  out->text("  #").decimal(number).text(" ").hex(address);
  if (found == end || found->address != address || found->module.empty()) {
    out->text(" ?\n");
    return;
  }
  if (found->function.empty()) {
    out->text(" ?");
  } else {
    out->text(" ").text(found->function).text("+").hex(address - found->function_begin);
  }
  out->text(" in ").text(found->module).text("+").hex(found->module_offset).text("\n");
}

void Dump::release_stacks() {
  for (std::size_t i = 0; i < thread_count_; ++i) stacks::release(&memory_->stacks[i]);
}

}  // namespace vigil::thread_dump
