// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/core/core_evidence.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/tools/core/map_identity.h"
#include "vigil/tools/core/target.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools {

namespace {

using report::Kind;
using report::Operation;

constexpr std::size_t kAccessesMax = 16;  // of one finding

// A thread inside a map operation.
struct Occupant {
  std::size_t thread = 0;  // index into Evidence::threads
  MapUse use;
};

// What a thread waits for, by the functions at the top of its stack; the first rule that matches.
std::string state_of(const report::Stack& stack) {
  struct Rule {
    std::string_view function;  // a part of its name
    std::string_view state;
  };
  static constexpr Rule kRules[] = {
      {"pthread_mutex_lock", "blocked in a mutex"},
      {"lll_lock_wait", "blocked in a mutex"},
      {"pthread_rwlock_", "blocked in a reader-writer lock"},
      {"pthread_cond_", "blocked in a condition variable"},
      {"pthread_join", "blocked in a join"},
      {"pthread_clockjoin", "blocked in a join"},
      {"futex", "blocked in futex"},
      {"epoll_wait", "blocked in epoll_wait"},
      {"epoll_pwait", "blocked in epoll_wait"},
      {"nanosleep", "blocked in sleep"},
      {"poll", "blocked in poll"},
      {"select", "blocked in select"},
      {"accept", "blocked in accept"},
      {"recv", "blocked in recv"},
      {"libc_read", "blocked in read"},
      {"sigtimedwait", "blocked in sigwait"},
      {"sigwait", "blocked in sigwait"},
      {"pause", "blocked in pause"},
  };
  constexpr std::size_t kInnermost = 5;  // the C library's frames
  const std::size_t count = std::min(kInnermost, stack.size());
  for (const Rule& rule : kRules) {
    for (std::size_t i = 0; i < count; ++i) {
      if (stack[i].module.find("libc") == std::string::npos) break;
      if (stack[i].function.find(rule.function) != std::string::npos)
        return std::string(rule.state);
    }
  }
  return "running";
}

std::string map_text(const report::Location& location) {
  if (!location.object.empty()) return location.object;
  return location.type.empty() ? "a map" : "a " + location.type;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Kind kind_of(Operation other) {
  if (report::is_write(other)) return Kind::kMapWrites;
  return other == Operation::kMapIterate ? Kind::kMapIterationAndWrite : Kind::kMapReadAndWrite;
}

class EvidenceMaker {
 public:
  EvidenceMaker(Target* target, report::Evidence* evidence)
      : target_(*target),
        evidence_(*evidence),
        symbolizer_(target->dwfl()),
        memory_([target](std::uint64_t address) { return target->read_word(address); }) {}

  void run(bool is_live) {
    evidence_.program = target_.program();
    evidence_.warnings = target_.warnings();
    evidence_.truncated = target_.is_truncated();
    const std::vector<UnwoundStack> stacks = target_.unwind_all();
    for (const UnwoundStack& stack : stacks) add_thread(stack, is_live);
    find_collisions();
    add_death();
    warn_about_unknown_maps();
  }

 private:
  void add_thread(const UnwoundStack& stack, bool is_live) {
    report::Thread thread;
    thread.id = stack.thread;
    const bool is_main = stack.thread == target_.process();
    if (is_live) {
      const std::string task = "/proc/" + std::to_string(target_.process()) + "/task/";
      thread.name = first_line(task + std::to_string(stack.thread) + "/comm");
    } else if (is_main) {
      thread.name = "main";
    }
    NamedStack named = name_stack(&symbolizer_, stack);
    std::optional<MapUse> use = map_use_of(&symbolizer_, stack, named, memory_);
    thread.state = state_of(named.frames);
    if (use) {
      const std::string_view operation = report::to_string(use->operation);
      thread.state = std::string(operation) + " of " + map_text(use->location);
      occupants_.push_back({evidence_.threads.size(), std::move(*use)});
    }
    thread.stack = std::move(named.frames);
    evidence_.threads.push_back(std::move(thread));
  }

  report::Access access_of(const Occupant& occupant) const {
    const report::Thread& thread = evidence_.threads[occupant.thread];
    report::Access access;
    access.thread = thread.id;
    access.operation = occupant.use.operation;
    // What was only concluded proves nothing: the finding's location names it.
    if (!occupant.use.is_concluded) access.address = occupant.use.location.address;
    access.stack.assign(thread.stack.begin() + static_cast<std::ptrdiff_t>(occupant.use.frame),
                        thread.stack.end());
    return access;
  }

  void find_collisions() {
    std::map<std::uint64_t, std::vector<const Occupant*>> by_map;
    for (const Occupant& occupant : occupants_) {
      const report::Location& location = occupant.use.location;
      if (location.address == 0 || is_concurrent_map(location.type)) continue;
      by_map[location.address].push_back(&occupant);
    }
    for (auto& [address, inside] : by_map) add_collision(std::move(inside));
  }

  void add_collision(std::vector<const Occupant*> inside) {
    // One that changes the map comes first: it collides with each of the others.
    const auto writer = std::find_if(inside.begin(), inside.end(), [](const Occupant* occupant) {
      return report::is_write(occupant->use.operation);
    });
    if (inside.size() < 2 || writer == inside.end()) return;
    std::rotate(inside.begin(), writer, writer + 1);
    report::Finding finding;
    finding.kind = kind_of(inside[1]->use.operation);
    finding.location = inside.front()->use.location;
    finding.message = std::to_string(inside.size()) + " threads are inside " +
                      map_text(finding.location) + " at the same moment";
    for (const Occupant* occupant : inside) {
      if (finding.accesses.size() == kAccessesMax) break;
      finding.accesses.push_back(access_of(*occupant));
      finding.threads.push_back(evidence_.threads[occupant->thread]);
    }
    evidence_.findings.push_back(std::move(finding));
  }

  void add_death() {
    if (!target_.death()) return;
    const Death& death = *target_.death();
    const auto thread =
        std::find_if(evidence_.threads.begin(), evidence_.threads.end(),
                     [&](const report::Thread& one) { return one.id == death.thread; });
    if (thread == evidence_.threads.end()) return;
    const char* signal = sigabbrev_np(death.signal);
    report::Finding finding;
    finding.kind = Kind::kCrash;
    finding.message = "SIG" + std::string(signal == nullptr ? "?" : signal) + " in thread " +
                      std::to_string(death.thread);
    report::Access access;
    access.thread = death.thread;
    access.address = death.address;
    access.stack = thread->stack;
    for (const Occupant& occupant : occupants_) {
      if (evidence_.threads[occupant.thread].id != death.thread) continue;
      access.operation = occupant.use.operation;
      access.address = occupant.use.location.address;
      finding.location = occupant.use.location;
      finding.message += " during a " + thread->state;
    }
    thread->state = "died of SIG" + std::string(signal == nullptr ? "?" : signal);
    finding.threads.push_back(*thread);
    finding.accesses.push_back(std::move(access));
    evidence_.findings.push_back(std::move(finding));
  }

  void warn_about_unknown_maps() {
    const auto count = std::count_if(occupants_.begin(), occupants_.end(),
                                     [](const auto& one) { return one.use.location.address == 0; });
    if (count == 0) return;
    evidence_.warnings.push_back(
        std::to_string(count) +
        " threads are inside map operations whose map is not known: the compiler did not keep it");
  }

  Target& target_;
  report::Evidence& evidence_;
  Symbolizer symbolizer_;
  const MemoryReader memory_;
  std::vector<Occupant> occupants_;
};

}  // namespace

bool is_core(std::string_view head) {
  Elf64_Ehdr header = {};
  std::memcpy(&header, head.data(), std::min(head.size(), sizeof header));
  return head.size() > EI_NIDENT + 1 && head.starts_with(ELFMAG) && header.e_type == ET_CORE;
}

Result<report::Evidence> read_core_evidence(const std::string& path, const CoreOptions& options) {
  Result<std::unique_ptr<Target>> target = Target::open_core(path, options.executable);
  if (!target) return target.error();
  report::Evidence evidence;
  evidence.path = path;
  evidence.format = "core";
  EvidenceMaker(target->get(), &evidence).run(false);
  if (evidence.threads.empty()) {
    return Error{"it holds no thread that can be read" +
                 std::string(evidence.truncated ? "; the file is cut off" : "")};
  }
  return evidence;
}

Result<report::Evidence> read_process_evidence(pid_t process) {
  const auto start = std::chrono::steady_clock::now();
  Result<std::unique_ptr<Target>> target = Target::attach(process);
  if (!target) return target.error();
  report::Evidence evidence;
  evidence.path = std::to_string(process);
  evidence.format = "process";
  EvidenceMaker(target->get(), &evidence).run(true);
  target->reset();  // the process goes on
  const auto pause = std::chrono::steady_clock::now() - start;
  const auto pause_ms = std::chrono::duration_cast<std::chrono::milliseconds>(pause).count();
  evidence.warnings.push_back("the process stood still for " + std::to_string(pause_ms) + " ms");
  return evidence;
}

}  // namespace vigil::tools
