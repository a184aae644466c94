// SPDX-License-Identifier: Apache-2.0
//
// Cores made by hand, for tests: threads whose stacks are chains of frame pointers, in as many
// segments, and no file mapped.
//
// Thread safety: pure functions.
#pragma once

#include <elf.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace vigil::tools::testing_core {

inline constexpr std::uint64_t kStackBytes = 4096;
inline constexpr std::uint64_t kFirstStack = 0x7f0000000000;
inline constexpr std::uint64_t kCode = 0x400000;

template <class T>
void append_bytes(const T& value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// One note of the name "CORE".
template <class T>
void append_note(std::uint32_t type, const T& content, std::string* out) {
  append_bytes(Elf64_Nhdr{5, sizeof content, type}, out);
  out->append("CORE\0\0\0\0", 8);
  append_bytes(content, out);
  out->resize((out->size() + 3) / 4 * 4);
}

// `frames` of caller after caller: the saved frame pointer, the return address.
inline std::string stack_of(std::uint64_t begin, int frames) {
  std::string bytes(kStackBytes, '\0');
  for (int i = 0; i < frames; ++i) {
    const std::uint64_t at = static_cast<std::uint64_t>(i) * 64;
    const std::uint64_t pair[] = {i + 1 < frames ? begin + at + 64 : 0,
                                  i + 1 < frames ? kCode + at : 0};
    std::memcpy(bytes.data() + at, pair, sizeof pair);
  }
  return bytes;
}

inline std::string core_file(std::size_t threads, int frames) {
  std::string notes;
  for (std::size_t i = 0; i < threads; ++i) {
    elf_prstatus status = {};
    status.pr_pid = static_cast<pid_t>(1000 + i);
    user_regs_struct registers = {};
    registers.rip = kCode;
    registers.rbp = registers.rsp = kFirstStack + i * 2 * kStackBytes;
    std::memcpy(&status.pr_reg, &registers, sizeof registers);
    append_note(NT_PRSTATUS, status, &notes);
  }
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<Elf64_Half>(threads + 1);
  std::string file;
  append_bytes(header, &file);
  std::uint64_t offset = file.size() + (threads + 1) * sizeof(Elf64_Phdr);
  append_bytes(Elf64_Phdr{PT_NOTE, PF_R, offset, 0, 0, notes.size(), 0, 4}, &file);
  offset += notes.size();
  for (std::size_t i = 0; i < threads; ++i, offset += kStackBytes) {
    append_bytes(Elf64_Phdr{PT_LOAD, PF_R | PF_W, offset, kFirstStack + i * 2 * kStackBytes, 0,
                            kStackBytes, kStackBytes, 4096},
                 &file);
  }
  file += notes;
  for (std::size_t i = 0; i < threads; ++i) {
    file += stack_of(kFirstStack + i * 2 * kStackBytes, frames);
  }
  return file;
}

}  // namespace vigil::tools::testing_core
