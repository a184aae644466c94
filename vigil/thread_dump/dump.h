// SPDX-License-Identifier: Apache-2.0
//
// Dump: one thread dump, from the list of threads to the last line of text.
//
// Context: signal. All memory was allocated before.
// Thread safety: one dump at a time uses the memory.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "vigil/stacks/elf_names.h"
#include "vigil/stacks/proc_task.h"
#include "vigil/stacks/stack_capture.h"
#include "vigil/thread_dump/text_writer.h"

namespace vigil::thread_dump {

inline constexpr std::size_t kDumpedThreadsMax = 4096;

// What dumps write to. Zeroed pages are a valid value.
struct DumpMemory {
  std::array<pid_t, kDumpedThreadsMax> threads;
  std::array<stacks::TaskFacts, kDumpedThreadsMax> facts;
  std::array<stacks::CapturedStack, kDumpedThreadsMax> stacks;
  stacks::CapturedStack fatal_stack;  // written by the thread that failed
  // Addresses repeat between threads; what does not fit stays without names.
  std::array<stacks::NamedAddress, 64 * 1024> addresses;
};

struct DumpRequest {
  std::string_view reason;
  pid_t fatal_thread = 0;   // its stack is in fatal_stack; 0: none
  bool is_single = false;   // only that thread
  pid_t hidden_thread = 0;  // not part of the program
  int limit_ms = 500;
};

class Dump {
 public:
  Dump(DumpMemory* memory, const DumpRequest& request) : memory_(memory), request_(request) {}

  void write(TextSink sink);

 private:
  void list();
  void capture();
  // A thread that is being created blocks all signals for a moment: asks it a little later.
  void capture_late();
  void name_addresses();
  [[nodiscard]] const stacks::CapturedStack* stack_of(std::size_t thread) const;
  void write_thread(std::size_t thread, TextWriter* out) const;
  void write_frame(std::size_t number, std::uintptr_t address, TextWriter* out) const;
  void add_address(std::uintptr_t address);
  void release_stacks();

  DumpMemory* const memory_;
  const DumpRequest request_;
  stacks::ElfNames names_;
  std::size_t thread_count_ = 0;
  std::size_t answer_count_ = 0;
  std::size_t address_count_ = 0;
};

// "map write: "orders" (CheckedMap<int, Order>) at 0x564bb44ea5e0".
struct MapOfLine {
  MapOperation operation;
  std::string_view name;
  std::string_view type;
  const void* map;
};
void write_map(const MapOfLine& map, TextWriter* out);

}  // namespace vigil::thread_dump
