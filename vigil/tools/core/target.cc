// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/target.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string_view>

#include "vigil/base/files.h"
#include "vigil/tools/core/program_file.h"
#include "vigil/tools/isolation/isolated_reader.h"

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

// The first file of split debug information that a unit names and that is not at hand; or empty.
std::string missing_split_file(Dwarf* dwarf) {
  Dwarf_CU* unit = nullptr;
  std::uint8_t type = 0;
  Dwarf_Die root;
  Dwarf_Die split_root;
  while (dwarf_get_units(dwarf, unit, &unit, nullptr, &type, &root, &split_root) == 0) {
    if (type != DW_UT_skeleton || dwarf_tag(&split_root) == DW_TAG_compile_unit) continue;
    Dwarf_Attribute name;
    if (dwarf_attr(&root, DW_AT_dwo_name, &name) == nullptr &&
        dwarf_attr(&root, DW_AT_GNU_dwo_name, &name) == nullptr) {
      continue;
    }
    const char* const text = dwarf_formstring(&name);
    return text == nullptr ? "its .dwo file" : text;
  }
  return {};
}

// From the order of the kernel to that of DWARF (System V ABI for x86-64, figure 3.36).
std::array<Dwarf_Word, kRegisters> registers_of(const elf_gregset_t& kernel) {
  user_regs_struct r = {};
  static_assert(sizeof r == sizeof(elf_gregset_t));
  std::memcpy(&r, kernel, sizeof r);
  return {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8,
          r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip};
}

int add_module_bytes(Dwfl_Module* module, void** /*data*/, const char* name, Dwarf_Addr /*base*/,
                     void* sum) {
  const char* file = nullptr;
  dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, &file, nullptr);
  struct stat status = {};
  if (stat(file != nullptr ? file : name, &status) == 0) {
    *static_cast<std::uint64_t*>(sum) += static_cast<std::uint64_t>(status.st_size);
  }
  return DWARF_CB_OK;
}

// Of the files, as far as they are at hand.
std::uint64_t bytes_of_modules(Dwfl* dwfl) {
  std::uint64_t sum = 0;
  dwfl_getmodules(dwfl, add_module_bytes, &sum, 0);
  return sum;
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

struct Target::CoreCallbacks {
  static Target& target_of(void* argument) { return *static_cast<Target*>(argument); }

  static pid_t next_thread(Dwfl* /*dwfl*/, void* argument, void** position) {
    std::vector<CoreThread>& threads = target_of(argument).threads_;
    CoreThread* const next =
        *position == nullptr ? threads.data() : static_cast<CoreThread*>(*position) + 1;
    if (next == threads.data() + threads.size()) return 0;
    *position = next;
    return next->id;
  }

  static bool read_memory(Dwfl* /*dwfl*/, Dwarf_Addr address, Dwarf_Word* word, void* argument) {
    const std::optional<std::uint64_t> value = target_of(argument).read_from_segment(address);
    if (value) *word = *value;
    return value.has_value();
  }

  static bool set_registers(Dwfl_Thread* thread, void* position) {
    return dwfl_thread_state_registers(thread, 0, kRegisters,
                                       static_cast<CoreThread*>(position)->registers.data());
  }

  static constexpr Dwfl_Thread_Callbacks kTable = {next_thread,   nullptr, read_memory,
                                                   set_registers, nullptr, nullptr};
};

Result<std::unique_ptr<Target>> Target::open_core(const std::string& path,
                                                  const std::string& executable) {
  elf_version(EV_CURRENT);
  std::unique_ptr<Target> target(new Target);
  if (Result<void> read = target->read_headers(path); !read) return read.error();
  target->read_notes(path);
  if (!executable.empty()) {
    if (Result<void> checked = check_program(executable); !checked) return checked.error();
    target->program_ = executable;
  }
  if (Result<void> done = target->report_modules(path, executable); !done) return done.error();
  if (Result<void> judged = target->judge_modules(executable); !judged) return judged.error();
  return target;
}

Result<void> Target::report_modules(const std::string& path, const std::string& executable) {
  dwfl_ = dwfl_begin(&kCoreCallbacks);
  const char* const program = executable.empty() ? nullptr : executable.c_str();
  if (dwfl_ == nullptr || dwfl_core_file_report(dwfl_, elf_, program) < 0 ||
      dwfl_report_end(dwfl_, nullptr, nullptr) != 0) {
    return unreadable(path, "its list of files");
  }
  allow_for_bytes(bytes_of_modules(dwfl_));
  if (!dwfl_attach_state(dwfl_, elf_, process_, &CoreCallbacks::kTable, this)) {
    return unreadable(path, "its threads");
  }
  return {};
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
  std::size_t held = 0;
  const char* const bytes = elf_rawfile(elf_, &held);
  elf_getphdrnum(elf_, &count);
  std::uint64_t wanted = header.e_phoff + std::uint64_t{header.e_phnum} * header.e_phentsize;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf_, static_cast<int>(i), &segment) == nullptr) break;
    wanted = std::max(wanted, segment.p_offset + segment.p_filesz);
    if (segment.p_type != PT_LOAD || bytes == nullptr || segment.p_offset >= held) continue;
    const std::uint64_t size = std::min<std::uint64_t>(segment.p_filesz, held - segment.p_offset);
    if (segment.p_vaddr + size <= segment.p_vaddr) continue;
    segments_.push_back({segment.p_vaddr, segment.p_vaddr + size, bytes + segment.p_offset});
  }
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment& a, const Segment& b) { return a.begin < b.begin; });
  allow_for_bytes(held);
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
    if (type == NT_PRSTATUS) {
      const auto status = read_as<elf_prstatus>(data, size);
      if (!status) return;
      // The thread that died comes first.
      if (threads_.empty()) death = {status->pr_cursig, status->pr_pid, 0};
      threads_.push_back({status->pr_pid, registers_of(status->pr_reg)});
    }
    if (type == NT_PRPSINFO) {
      const auto process = read_as<elf_prpsinfo>(data, size);
      if (process) process_ = process->pr_pid;
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
  if (process_ <= 0 && !threads_.empty()) process_ = threads_.front().id;
  if (program_.empty()) warnings_.push_back(path + " does not say which program it is of");
  // A debugger's snapshot of a living process names no signal, or the one that stopped it.
  const bool is_death = death.signal == SIGSEGV || death.signal == SIGBUS ||
                        death.signal == SIGILL || death.signal == SIGFPE ||
                        death.signal == SIGABRT || death.signal == SIGSYS;
  if (is_death) death_ = death;
}

Result<void> Target::judge_modules(const std::string& executable) {
  if (program_.empty()) return {};
  Dwfl_Module* module = dwfl_addrmodule(dwfl_, entry_);
  if (!std::filesystem::exists(program_)) {
    warnings_.push_back("the program " + program_ +
                        " is not here: its functions are shown as addresses; give the file with "
                        "--executable FILE");
    return {};
  }
  if (!executable.empty() && (module == nullptr || is_other_build(module, program_))) {
    return Error{executable + " is not the program that left the core, or another build of it"};
  }
  if (module == nullptr) {
    warnings_.push_back("the program " + program_ +
                        " does not fit the core: its functions are shown as addresses");
    return {};
  }
  if (is_other_build(module, program_)) {
    warnings_.push_back(program_ +
                        " is another build than the one that left the core; give the right file "
                        "with --executable FILE");
    return {};
  }
  judge_debug_info(module);
  return {};
}

void Target::judge_debug_info(Dwfl_Module* module) {
  GElf_Addr bias = 0;
  Elf* const elf = dwfl_module_getelf(module, &bias);
  if (elf == nullptr) return;
  Dwarf* const dwarf = dwfl_module_getdwarf(module, &bias);
  const std::string missing = dwarf == nullptr ? "" : missing_split_file(dwarf);
  if (!missing.empty()) {
    warnings_.push_back(program_ + " was built with -gsplit-dwarf, and " + missing +
                        " is not here: no inlined functions, maps have no names; put the .dwo "
                        "files where they were built, or the .dwp file beside the program");
  }
  if (dwarf != nullptr) return;
  warnings_.push_back(has_section(elf, SHT_SYMTAB)
                          ? program_ +
                                " has no debug information: no source lines, no inlined "
                                "functions, maps have no names; build with -g"
                          : program_ +
                                " is stripped: its functions are shown as addresses; put "
                                "its debug file beside it" +
                                (stopped_ == nullptr
                                     ? ", or give the unstripped file with --executable FILE"
                                     : ""));
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
  allow_for_bytes(bytes_of_modules(target->dwfl_));
  std::error_code error;
  const std::string link = "/proc/" + std::to_string(process) + "/exe";
  target->program_ = std::filesystem::read_symlink(link, error).string();
  // Not an error: without it no debug information is judged.
  if (const Result<std::string> auxiliary =
          read_file("/proc/" + std::to_string(process) + "/auxv")) {
    target->entry_ = entry_of(auxiliary->data(), auxiliary->size());
  }
  Dwfl_Module* const module = dwfl_addrmodule(target->dwfl_, target->entry_);
  if (module != nullptr) target->judge_debug_info(module);
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
  if (const std::optional<std::uint64_t> value = read_from_segment(address)) return value;
  return read_from_module(address);
}

std::optional<std::uint64_t> Target::read_from_segment(std::uint64_t address) const {
  auto after = std::upper_bound(
      segments_.begin(), segments_.end(), address,
      [](std::uint64_t wanted, const Segment& segment) { return wanted < segment.begin; });
  if (after == segments_.begin()) return std::nullopt;
  const Segment& segment = *std::prev(after);
  return read_as<std::uint64_t>(segment.bytes, segment.end - segment.begin,
                                address - segment.begin);
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
