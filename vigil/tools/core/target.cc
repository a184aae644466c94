// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/target.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string_view>

namespace vigil::tools {

namespace {

char* debug_path = nullptr;  // the default: beside the file, .debug/, /usr/lib/debug

constexpr Dwfl_Callbacks kCoreCallbacks = {dwfl_build_id_find_elf, dwfl_standard_find_debuginfo,
                                           nullptr, &debug_path};
constexpr Dwfl_Callbacks kProcessCallbacks = {dwfl_linux_proc_find_elf,
                                              dwfl_standard_find_debuginfo, nullptr, &debug_path};

std::string dwfl_text() {
  const char* text = dwfl_errmsg(-1);
  return text == nullptr ? "unknown error" : text;
}

// Calls visit(type, data, size) for each note of the core file.
void for_each_note(Elf* elf,
                   const std::function<void(GElf_Word, const char*, std::size_t)>& visit) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) return;
    if (header.p_type != PT_NOTE) continue;
    Elf_Data* data = elf_getdata_rawchunk(elf, static_cast<std::int64_t>(header.p_offset),
                                          header.p_filesz, ELF_T_NHDR);
    if (data == nullptr) continue;
    GElf_Nhdr note;
    std::size_t name = 0;
    std::size_t body = 0;
    for (std::size_t at = 0; (at = gelf_getnote(data, at, &note, &name, &body)) != 0;) {
      visit(note.n_type, static_cast<const char*>(data->d_buf) + body, note.n_descsz);
    }
  }
}

template <class T>
std::optional<T> read_as(const char* data, std::size_t size, std::size_t offset = 0) {
  T value;
  if (offset > size || size - offset < sizeof value) return std::nullopt;
  std::memcpy(&value, data + offset, sizeof value);
  return value;
}

// The value of AT_ENTRY: an address inside the program.
std::uint64_t entry_of(const char* data, std::size_t size) {
  constexpr std::uint64_t kAtEntry = 9;
  for (std::size_t at = 0; at + 16 <= size; at += 16) {
    if (read_as<std::uint64_t>(data, size, at) == kAtEntry) {
      return read_as<std::uint64_t>(data, size, at + 8).value_or(0);
    }
  }
  return 0;
}

// The path of the file mapped at `address`: count, page size, count times begin, end and page, then
// the names.
std::string mapped_path(const char* data, std::size_t size, std::uint64_t address) {
  const std::uint64_t count = read_as<std::uint64_t>(data, size).value_or(0);
  if (count > size / 24) return "";
  std::string_view names(data, size);
  names.remove_prefix(std::min<std::size_t>(16 + count * 24, names.size()));
  for (std::uint64_t i = 0; i < count && !names.empty(); ++i) {
    const auto begin = read_as<std::uint64_t>(data, size, 16 + i * 24).value_or(0);
    const auto end = read_as<std::uint64_t>(data, size, 24 + i * 24).value_or(0);
    const std::string_view name = names.substr(0, names.find('\0'));
    if (address >= begin && address < end) return std::string(name);
    names.remove_prefix(std::min(name.size() + 1, names.size()));
  }
  return "";
}

bool has_section(Elf* elf, GElf_Word type) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr && header.sh_type == type) return true;
  }
  return false;
}

// Whether the file at `path` was built as another than the program in the core.
bool is_other_build(Dwfl_Module* module, const std::string& path) {
  const unsigned char* wanted = nullptr;
  GElf_Addr place = 0;
  const int wanted_size = dwfl_module_build_id(module, &wanted, &place);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 || wanted_size <= 0) {
    if (file >= 0) close(file);
    return false;
  }
  Elf* elf = elf_begin(file, ELF_C_READ_MMAP, nullptr);
  const void* own = nullptr;
  const ssize_t own_size = elf == nullptr ? -1 : dwelf_elf_gnu_build_id(elf, &own);
  const bool is_other =
      own_size > 0 && (own_size != wanted_size ||
                       std::memcmp(own, wanted, static_cast<std::size_t>(own_size)) != 0);
  elf_end(elf);
  close(file);
  return is_other;
}

int collect_thread(Dwfl_Thread* thread, void* argument) {
  static_cast<std::vector<UnwoundStack>*>(argument)->push_back(unwind(thread));
  return DWARF_CB_OK;
}

}  // namespace

Target::~Target() {
  if (dwfl_ != nullptr) dwfl_end(dwfl_);
  if (elf_ != nullptr) elf_end(elf_);
  if (file_ >= 0) close(file_);
}

Result<std::unique_ptr<Target>> Target::open_core(const std::string& path,
                                                  const std::string& executable) {
  elf_version(EV_CURRENT);
  std::unique_ptr<Target> target(new Target);
  const Result<void> headers = target->read_headers(path);
  if (!headers) return headers.error();
  target->read_notes(path);
  if (!executable.empty()) {
    if (!std::filesystem::exists(executable)) return Error{"there is no file " + executable};
    target->program_ = executable;
  }
  target->dwfl_ = dwfl_begin(&kCoreCallbacks);
  const char* program = executable.empty() ? nullptr : executable.c_str();
  if (target->dwfl_ == nullptr || dwfl_core_file_report(target->dwfl_, target->elf_, program) < 0 ||
      dwfl_report_end(target->dwfl_, nullptr, nullptr) != 0) {
    return target->unreadable(path, "its list of files");
  }
  target->process_ = dwfl_core_file_attach(target->dwfl_, target->elf_);
  if (target->process_ < 0) return target->unreadable(path, "its threads");
  target->judge_modules(executable);
  return target;
}

Error Target::unreadable(const std::string& path, const std::string& what) const {
  return Error{path + ": cannot read " + what + ": " + dwfl_text() +
               (is_truncated_ ? "; the file is cut off" : "")};
}

Result<void> Target::read_headers(const std::string& path) {
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) return Error{path + ": " + std::strerror(errno)};
  struct stat facts;
  if (fstat(file_, &facts) != 0) return Error{path + ": " + std::strerror(errno)};
  elf_ = elf_begin(file_, ELF_C_READ_MMAP, nullptr);
  GElf_Ehdr header;
  if (elf_ == nullptr || gelf_getehdr(elf_, &header) == nullptr || header.e_type != ET_CORE) {
    return Error{path + " is not a core file"};
  }
  if (header.e_machine != EM_X86_64) return Error{path + ": not a core file of x86-64"};
  std::size_t count = 0;
  elf_getphdrnum(elf_, &count);
  std::uint64_t wanted = header.e_phoff + std::uint64_t{header.e_phnum} * header.e_phentsize;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf_, static_cast<int>(i), &segment) == nullptr) break;
    wanted = std::max(wanted, segment.p_offset + segment.p_filesz);
    if (segment.p_type != PT_LOAD || segment.p_filesz == 0) continue;
    segments_.push_back({segment.p_vaddr, segment.p_vaddr + segment.p_filesz, segment.p_offset});
  }
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (wanted > size) {
    is_truncated_ = true;
    warnings_.push_back(path + " is cut off: it has " + std::to_string(size) + " of " +
                        std::to_string(wanted) +
                        " bytes (a full disk, or a limit on core files); stacks may be missing");
  }
  return {};
}

void Target::read_notes(const std::string& path) {
  Death death;
  for_each_note(elf_, [&](GElf_Word type, const char* data, std::size_t size) {
    if (type == NT_AUXV) entry_ = entry_of(data, size);
    // The thread that died comes first.
    if (type == NT_PRSTATUS && death.thread == 0) {
      const auto status = read_as<elf_prstatus>(data, size);
      if (status) death = {status->pr_cursig, status->pr_pid, 0};
    }
    if (type == NT_SIGINFO && death.address == 0) {
      const auto info = read_as<siginfo_t>(data, size);
      const bool is_fault =
          info && info->si_code > 0 && (info->si_signo == SIGSEGV || info->si_signo == SIGBUS);
      if (is_fault) death.address = reinterpret_cast<std::uint64_t>(info->si_addr);
    }
  });
  for_each_note(elf_, [&](GElf_Word type, const char* data, std::size_t size) {
    if (type == NT_FILE && program_.empty()) program_ = mapped_path(data, size, entry_);
  });
  if (program_.empty()) warnings_.push_back(path + " does not say which program it is of");
  // A debugger's snapshot of a living process names no signal, or the one that stopped it.
  const bool is_death = death.signal == SIGSEGV || death.signal == SIGBUS ||
                        death.signal == SIGILL || death.signal == SIGFPE ||
                        death.signal == SIGABRT || death.signal == SIGSYS;
  if (is_death) death_ = death;
}

void Target::judge_modules(const std::string& executable) {
  if (program_.empty()) return;
  Dwfl_Module* module = dwfl_addrmodule(dwfl_, entry_);
  if (!std::filesystem::exists(program_)) {
    warnings_.push_back("the program " + program_ +
                        " is not here: its functions are shown as addresses; give the file with "
                        "--executable FILE");
    return;
  }
  if (module == nullptr) {
    warnings_.push_back("the program " + program_ +
                        " does not fit the core: its functions are shown as addresses");
    return;
  }
  GElf_Addr bias = 0;
  if (is_other_build(module, program_)) {
    warnings_.push_back(program_ + " is another build than the one that left the core" +
                        (executable.empty() ? "; give the right file with --executable FILE" : ""));
    return;
  }
  Elf* elf = dwfl_module_getelf(module, &bias);
  if (elf == nullptr || dwfl_module_getdwarf(module, &bias) != nullptr) return;
  warnings_.push_back(has_section(elf, SHT_SYMTAB)
                          ? program_ +
                                " has no debug information: no source lines, no inlined "
                                "functions, maps have no names; build with -g"
                          : program_ +
                                " is stripped: its functions are shown as addresses; put "
                                "its debug file beside it, or give the unstripped file with "
                                "--executable FILE");
}

Result<std::unique_ptr<Target>> Target::attach(pid_t process) {
  elf_version(EV_CURRENT);
  std::unique_ptr<Target> target(new Target);
  target->process_ = process;
  target->dwfl_ = dwfl_begin(&kProcessCallbacks);
  Result<std::unique_ptr<StoppedProcess>> stopped = StoppedProcess::stop(process);
  if (!stopped) return stopped.error();
  target->stopped_ = std::move(*stopped);
  const int reported =
      target->dwfl_ == nullptr ? -1 : dwfl_linux_proc_report(target->dwfl_, process);
  if (reported != 0 || dwfl_report_end(target->dwfl_, nullptr, nullptr) != 0 ||
      dwfl_linux_proc_attach(target->dwfl_, process, true) != 0) {
    return Error{"process " + std::to_string(process) + ": cannot read its memory map: " +
                 (reported > 0 ? std::strerror(reported) : dwfl_text())};
  }
  std::error_code error;
  const std::string link = "/proc/" + std::to_string(process) + "/exe";
  target->program_ = std::filesystem::read_symlink(link, error).string();
  return target;
}

std::vector<UnwoundStack> Target::unwind_all() {
  std::vector<UnwoundStack> stacks;
  dwfl_getthreads(dwfl_, collect_thread, &stacks);
  return stacks;
}

std::optional<std::uint64_t> Target::read_word(std::uint64_t address) const {
  if (stopped_ == nullptr) return read_from_core(address);
  std::uint64_t value = 0;
  const iovec local = {&value, sizeof value};
  const iovec remote = {reinterpret_cast<void*>(address), sizeof value};
  if (process_vm_readv(process_, &local, 1, &remote, 1, 0) != sizeof value) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> Target::read_from_core(std::uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (address < segment.begin || address + 8 > segment.end) continue;
    std::uint64_t value = 0;
    const auto offset = static_cast<off_t>(segment.file_offset + (address - segment.begin));
    if (pread(file_, &value, sizeof value, offset) != sizeof value) return std::nullopt;
    return value;
  }
  return read_from_module(address);
}

// Code and constants are not in the core: they are in the files.
std::optional<std::uint64_t> Target::read_from_module(std::uint64_t address) const {
  Dwfl_Module* module = dwfl_addrmodule(dwfl_, address);
  GElf_Addr bias = 0;
  Elf* elf = module == nullptr ? nullptr : dwfl_module_getelf(module, &bias);
  std::size_t count = 0;
  if (elf == nullptr || elf_getphdrnum(elf, &count) != 0) return std::nullopt;
  std::size_t size = 0;
  const char* bytes = elf_rawfile(elf, &size);
  const std::uint64_t wanted = address - bias;
  for (std::size_t i = 0; i < count && bytes != nullptr; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr) break;
    const bool holds = segment.p_type == PT_LOAD && (segment.p_flags & PF_W) == 0 &&
                       wanted >= segment.p_vaddr &&
                       wanted + 8 <= segment.p_vaddr + segment.p_filesz;
    if (holds)
      return read_as<std::uint64_t>(bytes, size, segment.p_offset + wanted - segment.p_vaddr);
  }
  return std::nullopt;
}

}  // namespace vigil::tools
