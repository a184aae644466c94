// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/frame_namer.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "vigil/report/report_json.h"
#include "vigil/tools/symbolize/symbolizer.h"

namespace vigil::tools::triage {
namespace {

namespace fs = std::filesystem;

bool lacks_name(const report::Frame& frame) {
  return frame.file.empty() && !frame.module.empty() && frame.address != 0;
}

// In the process of its own: answers "ADDRESS FILE" with Evidence of one thread, which has the
// frames there.
class Programs {
 public:
  Result<std::string> operator()(std::string_view question) {
    std::uint64_t address = 0;
    const char* const end = question.data() + question.size();
    const auto [rest, error] = std::from_chars(question.data(), end, address);
    if (error != std::errc() || rest == end) return Error{"no question"};
    Symbolizer& symbolizer = symbolizer_of(std::string(rest + 1, end));
    const report::Stack& chain = symbolizer.frames_at(address);
    report::Evidence evidence;
    report::Thread& thread = evidence.threads.emplace_back();
    if (!chain.front().function.empty()) thread.stack = chain;
    return report::to_json(evidence);
  }

 private:
  Symbolizer& symbolizer_of(const std::string& path) {
    std::shared_ptr<Symbolizer>& symbolizer = symbolizers_[path];
    if (symbolizer == nullptr) {
      std::error_code ignored;
      allow_for_bytes(fs::file_size(path, ignored));
      const Module whole_file{path, 0, std::numeric_limits<std::uint64_t>::max(), 0};
      symbolizer = std::make_shared<Symbolizer>(std::span(&whole_file, 1));
    }
    return *symbolizer;
  }

  std::map<std::string, std::shared_ptr<Symbolizer>> symbolizers_;
};

}  // namespace

void FrameNamer::name(report::Stack* stack) {
  if (std::none_of(stack->begin(), stack->end(), lacks_name)) return;
  lacks_names_ = true;
  report::Stack named;
  for (report::Frame& frame : *stack) {
    static const report::Stack none;
    const report::Stack& chain = lacks_name(frame) ? chain_at(frame.module, frame.address) : none;
    if (chain.empty()) {
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

std::vector<std::string> FrameNamer::take_warnings() {
  if (!executable_.empty() && lacks_names_ && !executable_is_used_) {
    warnings_.push_back("no frame is of a program called " +
                        fs::path(executable_).filename().string() + ", as --executable is");
  }
  return std::exchange(warnings_, {});
}

const std::string& FrameNamer::file_of(const std::string& module) {
  const auto [entry, is_new] = files_.try_emplace(module);
  if (is_new) entry->second = find(module);
  return entry->second;
}

std::string FrameNamer::find(const std::string& module) {
  const bool stands_in =
      !executable_.empty() && fs::path(executable_).filename() == fs::path(module).filename();
  executable_is_used_ = executable_is_used_ || stands_in;
  if (stands_in) return executable_;
  const std::optional<std::string> below = project_.below(module);
  return below && project_.holds(*below) ? (project_.path() / *below).string() : std::string();
}

const report::Stack& FrameNamer::chain_at(const std::string& module, std::uint64_t address) {
  const auto [entry, is_new] = chains_.try_emplace({module, address});
  report::Stack& chain = entry->second;
  const std::string& file = file_of(module);
  if (!is_new || file.empty()) return chain;
  Result<report::Stack> named = ask(file, address);
  if (named) {
    chain = *std::move(named);
  } else {
    warnings_.push_back(file + ": " + named.error().message + "; its frames have no names");
    files_[module].clear();
  }
  return chain;
}

Result<report::Stack> FrameNamer::ask(const std::string& file, std::uint64_t address) {
  if (!reader_ || !reader_->is_alive()) {
    Result<IsolatedReader> reader = IsolatedReader::start(Programs());
    if (!reader) return reader.error();
    reader_.emplace(*std::move(reader));
  }
  const Result<std::string> json = reader_->ask(std::to_string(address) + " " + file);
  if (!json) {
    reader_.reset();
    return json.error();
  }
  std::variant<report::Evidence, report::ParseError> read = report::evidence_from_json(*json);
  auto* const evidence = std::get_if<report::Evidence>(&read);
  if (evidence == nullptr || evidence->threads.size() != 1) {
    return Error{"its reader gave no names"};
  }
  return std::move(evidence->threads.front().stack);
}

}  // namespace vigil::tools::triage
