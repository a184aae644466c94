// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/detector_proof.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "vigil/tools/isolation/isolated_reader.h"

namespace vigil::tools::gate {
namespace {

namespace fs = std::filesystem;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end != 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// The last of -race, -race=true and -race=false wins, as in the go command.
std::optional<bool> race_flag(std::string_view word) {
  if (word.starts_with("--")) word.remove_prefix(1);
  if (word == "-race" || word == "-race=true" || word == "-race=1") return true;
  if (word == "-race=false" || word == "-race=0") return false;
  return std::nullopt;
}

bool go_uses_race(const std::vector<std::string_view>& words, std::string_view goflags) {
  bool race = false;
  for (const std::string_view word : split(goflags, " ")) race = race_flag(word).value_or(race);
  for (const std::string_view word : words) {
    if (word == "-args" || word == "--args") break;
    race = race_flag(word).value_or(race);
  }
  return race;
}

bool is_go(std::string_view word) { return base_name(word) == "go"; }

std::optional<std::string> proof_of_go(const std::vector<std::string>& arguments,
                                       const Environment& environment) {
  const auto go = std::find_if(arguments.begin(), arguments.end(), is_go);
  const bool is_runner = base_name(arguments.front()) == "gotestsum";
  if (go == arguments.end() && !is_runner) return std::nullopt;
  if (go != arguments.end() && (go + 1 == arguments.end() || (go[1] != "test" && go[1] != "run"))) {
    return std::nullopt;
  }
  const auto first = go != arguments.end() ? go : arguments.begin();
  if (!go_uses_race({first, arguments.end()}, environment("GOFLAGS"))) return std::nullopt;
  return "the go command runs with -race";
}

std::optional<std::string> proof_of_valgrind(const std::vector<std::string>& arguments) {
  bool is_valgrind = false;
  for (const std::string& argument : arguments) {
    is_valgrind = is_valgrind || base_name(argument) == "valgrind";
    for (const std::string_view tool : {"helgrind", "drd"}) {
      if (is_valgrind && argument == "--tool=" + std::string(tool)) {
        return "valgrind runs with " + std::string(tool);
      }
    }
  }
  return std::nullopt;
}

// The file that the shell would run for `word`; empty if there is none.
std::string executable_of(const std::string& word, bool search, const Environment& environment) {
  std::error_code error;
  if (word.find('/') != std::string::npos) return fs::is_regular_file(word, error) ? word : "";
  if (!search) return {};
  const std::string path = environment("PATH");
  for (const std::string_view folder : split(path, ":")) {
    const fs::path candidate = fs::path(folder) / word;
    if (access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate, error)) {
      return candidate;
    }
  }
  return {};
}

std::optional<std::string> proof_of_executable(const std::vector<std::string>& arguments,
                                               const Environment& environment) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string file = executable_of(arguments[i], i == 0, environment);
    if (file.empty()) continue;
    const std::string name(base_name(file));
    switch (instrumentation_of(file)) {
      case Instrumentation::kThreadSanitizer:
        return name + " is compiled with ThreadSanitizer";
      case Instrumentation::kGoRaceDetector:
        return name + " is compiled with Go's race detector";
      case Instrumentation::kNone:
        break;
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> options_in(std::string_view text) { return split(text, " :,"); }

// ---- ELF ----

class ElfFile {
 public:
  explicit ElfFile(const std::string& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    elf_version(EV_CURRENT);
    if (descriptor_ >= 0) elf_ = elf_begin(descriptor_, ELF_C_READ, nullptr);
  }
  ~ElfFile() {
    elf_end(elf_);
    if (descriptor_ >= 0) close(descriptor_);
  }
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  // Calls visit(section, header, name) until it returns true; whether it did.
  template <class Visit>
  bool any_section(Visit visit) const {
    std::size_t names = 0;
    if (elf_ == nullptr || elf_kind(elf_) != ELF_K_ELF || elf_getshdrstrndx(elf_, &names) != 0) {
      return false;
    }
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf_, section)) != nullptr) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr) continue;
      const char* const name = elf_strptr(elf_, names, header.sh_name);
      if (visit(section, header, std::string_view(name != nullptr ? name : ""))) return true;
    }
    return false;
  }

  [[nodiscard]] bool has_symbol(Elf_Scn* section, const GElf_Shdr& header,
                                std::string_view wanted) const {
    Elf_Data* const data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) return false;
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr) return false;
      const char* const name = elf_strptr(elf_, header.sh_link, symbol.st_name);
      if (name != nullptr && name == wanted) return true;
    }
    return false;
  }

 private:
  int descriptor_;
  Elf* elf_ = nullptr;
};

// Every unit compiled with -fsanitize=thread calls this function before main.
constexpr std::string_view kSanitizerSymbol = "__tsan_init";

bool go_build_has_race(Elf_Scn* section) {
  Elf_Data* const data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return false;
  const std::string_view text(static_cast<const char*>(data->d_buf), data->d_size);
  return text.find("build\t-race=true") != std::string_view::npos;
}

bool is_elf(const std::string& path) {
  std::array<char, SELFMAG> magic = {};
  std::ifstream file(path, std::ios::binary);
  file.read(magic.data(), magic.size());
  return file.gcount() == SELFMAG && std::memcmp(magic.data(), ELFMAG, SELFMAG) == 0;
}

Instrumentation read_instrumentation(const std::string& path) {
  const ElfFile file(path);
  bool is_go = false;
  const bool go_race =
      file.any_section([&](Elf_Scn* section, const GElf_Shdr&, std::string_view name) {
        is_go = is_go || name == ".go.buildinfo";
        return name == ".go.buildinfo" && go_build_has_race(section);
      });
  if (go_race) return Instrumentation::kGoRaceDetector;
  const bool has_symbol =
      file.any_section([&](Elf_Scn* section, const GElf_Shdr& header, std::string_view) {
        return (header.sh_type == SHT_DYNSYM || header.sh_type == SHT_SYMTAB) &&
               file.has_symbol(section, header, kSanitizerSymbol);
      });
  if (!has_symbol) return Instrumentation::kNone;
  return is_go ? Instrumentation::kGoRaceDetector : Instrumentation::kThreadSanitizer;
}

}  // namespace

// libelf reads a file that may be damaged: in a process of its own.
Instrumentation instrumentation_of(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || !is_elf(path)) return Instrumentation::kNone;
  Result<IsolatedReader> reader = IsolatedReader::start([&path](std::string_view) {
    return Result<std::string>(std::string(1, static_cast<char>(read_instrumentation(path))));
  });
  // Not an error: a file that breaks its reader proves nothing.
  const Result<std::string> answer = reader ? reader->ask("") : Result<std::string>(reader.error());
  if (!answer || answer->size() != 1) return Instrumentation::kNone;
  const char value = answer->front();
  return value >= 0 && value <= static_cast<char>(Instrumentation::kGoRaceDetector)
             ? static_cast<Instrumentation>(value)
             : Instrumentation::kNone;
}

std::optional<std::string> proof_of_command(const std::vector<std::string>& arguments,
                                            const Environment& environment) {
  if (arguments.empty()) return std::nullopt;
  if (auto proof = proof_of_go(arguments, environment)) return proof;
  if (auto proof = proof_of_valgrind(arguments)) return proof;
  return proof_of_executable(arguments, environment);
}

std::optional<std::string> switched_off_by(const Environment& environment) {
  std::optional<std::string> reason;
  const std::string options = environment("TSAN_OPTIONS");
  for (const std::string_view option : options_in(options)) {
    if (option == "report_bugs=0" || option == "report_bugs=false") {
      reason = "TSAN_OPTIONS switches reports off (report_bugs=0); remove it";
    } else if (option.starts_with("report_bugs=")) {
      reason.reset();
    }
  }
  return reason;
}

std::vector<std::string> log_paths_of(const Environment& environment) {
  std::vector<std::string> paths;
  for (const char* const variable : {"TSAN_OPTIONS", "GORACE"}) {
    const std::string options = environment(variable);
    for (std::string_view option : options_in(options)) {
      constexpr std::string_view kLogPath = "log_path=";
      if (!option.starts_with(kLogPath)) continue;
      option.remove_prefix(kLogPath.size());
      if (option.size() > 1 && (option.front() == '"' || option.front() == '\'')) {
        option = option.substr(1, option.size() - 2);
      }
      if (option != "stdout" && option != "stderr") paths.emplace_back(option);
    }
  }
  return paths;
}

bool is_race_headline(std::string_view line) {
  for (const std::string_view headline :
       {"WARNING: DATA RACE", "WARNING: ThreadSanitizer: ", "race detected during execution"}) {
    if (line.find(headline) != std::string_view::npos) return true;
  }
  return false;
}

bool shows_go_race_command(std::string_view line) {
  while (line.starts_with('+') || line.starts_with('$') || line.starts_with(' ')) {
    line.remove_prefix(1);
  }
  const std::vector<std::string_view> words = split(line, " \t");
  const auto go = std::find_if(words.begin(), words.end(), is_go);
  return go != words.end() && go + 1 != words.end() && go[1] == "test" &&
         go_uses_race({go, words.end()}, "");
}

}  // namespace vigil::tools::gate
