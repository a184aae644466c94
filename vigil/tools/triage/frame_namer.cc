// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/frame_namer.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

namespace vigil::tools::triage {
namespace {

namespace fs = std::filesystem;

bool lacks_name(const report::Frame& frame) {
  return frame.file.empty() && !frame.module.empty() && frame.address != 0;
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

}  // namespace

void FrameNamer::name(report::Stack* stack) {
  if (std::none_of(stack->begin(), stack->end(), lacks_name)) return;
  report::Stack named;
  for (report::Frame& frame : *stack) {
    Symbolizer* const symbolizer = lacks_name(frame) ? symbolizer_of(frame.module) : nullptr;
    if (symbolizer == nullptr) {
      named.push_back(std::move(frame));
      continue;
    }
    const report::Stack& chain = symbolizer->frames_at(frame.address);
    if (chain.front().function.empty()) {
      named.push_back(std::move(frame));
    } else {
      named.insert(named.end(), chain.begin(), chain.end());
    }
  }
  *stack = std::move(named);
}

void FrameNamer::name(report::Finding* finding) {
  for (report::Access& access : finding->accesses) {
    name(&access.stack);
    for (report::Lock& lock : access.locks) name(&lock.acquired_at);
  }
  name(&finding->location.allocated_at);
  for (report::Thread& thread : finding->threads) name(&thread);
}

void FrameNamer::name(report::Thread* thread) {
  name(&thread->stack);
  name(&thread->created_at);
}

Symbolizer* FrameNamer::symbolizer_of(const std::string& module) {
  const auto [entry, is_new] = symbolizers_.try_emplace(module);
  if (is_new) {
    const std::string path = file_of(module);
    const Module whole_file{path, 0, std::numeric_limits<std::uint64_t>::max(), 0};
    if (!path.empty()) entry->second = std::make_unique<Symbolizer>(std::span(&whole_file, 1));
  }
  return entry->second.get();
}

std::string FrameNamer::file_of(const std::string& module) const {
  const bool stands_in =
      !executable_.empty() && fs::path(executable_).filename() == fs::path(module).filename();
  if (stands_in) return executable_;
  return module.starts_with('/') && is_file(module) ? module : std::string();
}

}  // namespace vigil::tools::triage
