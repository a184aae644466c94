// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/raw/options.h"

#include <fcntl.h>

#include <initializer_list>

#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/syscall.h"

namespace vigil::race {
namespace {

constexpr char kVariable[] = "VIGIL_RACE_OPTIONS=";
constexpr char kTsanVariable[] = "TSAN_OPTIONS=";
constexpr char kPath[] = "PATH=";
constexpr std::size_t kTextMax = 8192;

struct State {
  Options options;
  char text[kTextMax];  // the variable's value, cut into words in place
  char chunk[kPage];    // of the environment
  char ignored[256];    // keys of TSAN_OPTIONS
};
constinit State state = {};

[[noreturn]] void refuse(const char* what, const char* word) {
  for (const char* part : {"vigil race: VIGIL_RACE_OPTIONS: ", what, " '", word, "'\n"}) {
    raw_syscall(SYS_write, 2, part, raw_length(part));
  }
  raw_syscall(SYS_exit_group, 2);
  __builtin_unreachable();
}

bool parse_number(const char* value, std::uint64_t* number) {
  std::uint64_t result = 0;
  if (*value == 0) return false;
  for (; *value != 0; ++value) {
    if (*value < '0' || *value > '9') return false;
    if (__builtin_mul_overflow(result, 10, &result) ||
        __builtin_add_overflow(result, static_cast<std::uint64_t>(*value - '0'), &result)) {
      return false;
    }
  }
  *number = result;
  return true;
}

bool set_number(const char* value, std::uint64_t* number) { return parse_number(value, number); }

bool set_number(const char* value, std::uint32_t* number) {
  std::uint64_t wide = 0;
  if (!parse_number(value, &wide) || wide > ~std::uint32_t{0}) return false;
  *number = static_cast<std::uint32_t>(wide);
  return true;
}

bool set_flag(const char* value, bool* flag) {
  *flag = raw_equal(value, "1");
  return *flag || raw_equal(value, "0");
}

template <std::size_t kSize>
bool set_text(const char* value, char (&to)[kSize]) {
  if (raw_length(value) >= kSize) return false;
  raw_copy_text(to, value);
  return true;
}

template <class Choice, std::size_t kCount>
bool set_choice(const char* value, const char* const (&names)[kCount], Choice* choice) {
  for (std::size_t index = 0; index < kCount; ++index) {
    if (!raw_equal(value, names[index])) continue;
    *choice = static_cast<Choice>(index);
    return true;
  }
  return false;
}

constexpr const char* kModes[] = {"free", "controlled"};
constexpr const char* kPoints[] = {"sync", "memory", "conflicts"};
constexpr const char* kLockOrders[] = {"by-mode", "off", "on"};
constexpr const char* kTimes[] = {"virtual", "real"};

// All options there are.
struct Flag {
  const char* name;
  bool (*set)(const char* value);
};
constexpr Flag kFlags[] = {
    {"mode", [](const char* value) { return set_choice(value, kModes, &state.options.mode); }},
    {"seed", [](const char* value) { return set_number(value, &state.options.seed); }},
    {"strategy", [](const char* value) { return set_text(value, state.options.strategy); }},
    {"depth", [](const char* value) { return set_number(value, &state.options.depth); }},
    {"points", [](const char* value) { return set_choice(value, kPoints, &state.options.points); }},
    {"time", [](const char* value) { return set_choice(value, kTimes, &state.options.time); }},
    {"out", [](const char* value) { return set_text(value, state.options.out); }},
    {"decisions", [](const char* value) { return set_text(value, state.options.decisions); }},
    {"conflicts", [](const char* value) { return set_text(value, state.options.conflicts); }},
    {"events", [](const char* value) { return set_flag(value, &state.options.events); }},
    {"locks", [](const char* value) { return set_flag(value, &state.options.locks); }},
    {"lock_order",
     [](const char* value) { return set_choice(value, kLockOrders, &state.options.lock_order); }},
    {"max_points", [](const char* value) { return set_number(value, &state.options.max_points); }},
    {"exit_code", [](const char* value) { return set_number(value, &state.options.exit_code); }},
    {"processor", [](const char* value) { return set_number(value, &state.options.processor); }},
    {"tool", [](const char* value) { return set_text(value, state.options.tool); }},
    {"halt", [](const char* value) { return set_flag(value, &state.options.halt); }},
};

void set_option(char* word) {
  char* value = word;
  while (*value != 0 && *value != '=') ++value;
  if (*value == 0) refuse("not of the form key=value:", word);
  *value++ = 0;
  for (const Flag& flag : kFlags) {
    if (!raw_equal(word, flag.name)) continue;
    if (!flag.set(value)) refuse("bad value", value);
    return;
  }
  refuse("unknown key", word);
}

void set_options() {
  char* word = state.text;
  while (*word != 0) {
    char* end = word;
    while (*end != 0 && *end != ' ') ++end;
    const bool last = *end == 0;
    *end = 0;
    if (end != word) set_option(word);
    if (last) return;
    word = end + 1;
  }
}

// ---- TSAN_OPTIONS: key=value, separated by colons, commas or white space

constexpr Flag kTsanFlags[] = {
    {"exitcode", [](const char* value) { return set_number(value, &state.options.exit_code); }},
    {"halt_on_error",
     [](const char* value) {
       state.options.halt = raw_equal(value, "1") || raw_equal(value, "true");
       return true;
     }},
    {"suppressions", [](const char* value) { return set_text(value, state.options.suppressions); }},
    {"log_path",
     [](const char* value) {
       const bool terminal = raw_equal(value, "stderr") || raw_equal(value, "stdout");
       return terminal || set_text(value, state.options.log);
     }},
};

void ignore_tsan_option(const char* word) {
  std::size_t length = raw_length(state.ignored);
  if (length + raw_length(word) + 2 > sizeof state.ignored) return;
  if (length != 0) state.ignored[length++] = ' ';
  for (; *word != 0; ++word) state.ignored[length++] = *word;
}

void set_tsan_option(char* word) {
  char* value = word;
  while (*value != 0 && *value != '=') ++value;
  if (*value != 0) *value++ = 0;
  for (const Flag& flag : kTsanFlags) {
    if (raw_equal(word, flag.name) && flag.set(value)) return;
  }
  ignore_tsan_option(word);
}

bool separates_tsan_options(char character) {
  return character == ':' || character == ',' || character == ' ' || character == '\n' ||
         character == '\t';
}

void set_tsan_options() {
  char* word = state.text;
  while (*word != 0) {
    char* end = word;
    while (*end != 0 && !separates_tsan_options(*end)) ++end;
    const bool last = *end == 0;
    *end = 0;
    if (end != word) set_tsan_option(word);
    if (last) return;
    word = end + 1;
  }
}

// ---- the tool

bool is_program(const char* path) { return raw_syscall(SYS_access, path, 1 /* X_OK */) == 0; }

// Looks for vigil in the folders of PATH.
void find_tool() {
  constexpr char kName[] = "/vigil";
  char* const path = state.options.tool;
  const char* folder = state.text;
  while (*folder != 0) {
    std::size_t length = 0;
    while (folder[length] != 0 && folder[length] != ':') ++length;
    if (length != 0 && length + sizeof kName <= sizeof state.options.tool) {
      raw_move(path, folder, length);
      raw_move(path + length, kName, sizeof kName);
      if (is_program(path)) return;
    }
    folder += length;
    if (*folder == ':') ++folder;
  }
  path[0] = 0;
}

// Copies a variable's value to `state.text`. libc's environ may not exist yet: the kernel is
// asked.
class VariableReader {
 public:
  // `name` ends with '='. Too long a value is refused, or cut if nothing depends on its end.
  VariableReader(const char* name, bool may_cut)
      : name_(name), name_length_(raw_length(name)), may_cut_(may_cut) {}

  void read() {
    raw_fill(state.text, 0, sizeof state.text);
    const long file = raw_syscall(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    long size = 0;
    while ((size = raw_syscall(SYS_read, file, state.chunk, sizeof(state.chunk))) > 0) {
      for (long index = 0; index < size; ++index) take(state.chunk[index]);
    }
    raw_syscall(SYS_close, file);
  }

 private:
  void take(char character) {
    if (character == 0) {
      matched_ = 0;
      mismatched_ = false;
    } else if (mismatched_) {
      return;
    } else if (matched_ < name_length_) {
      mismatched_ = character != name_[matched_++];
    } else if (length_ + 1 < kTextMax) {
      state.text[length_++] = character;
    } else if (!may_cut_) {
      refuse("too long:", state.text);
    }
  }

  const char* name_;
  std::size_t name_length_;
  bool may_cut_;
  std::size_t matched_ = 0;
  bool mismatched_ = false;
  std::size_t length_ = 0;
};

}  // namespace

const Options& options() { return state.options; }

const char* ignored_tsan_options() { return state.ignored; }

void read_options() {
  VariableReader(kPath, true).read();
  find_tool();
  VariableReader(kTsanVariable, true).read();
  set_tsan_options();
  VariableReader(kVariable, false).read();
  set_options();
}

}  // namespace vigil::race
