// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/monitors.h"

#include <array>
#include <cstdio>
#include <utility>

namespace vigil::server {

namespace {

// In double quotes, with Redis's escapes.
void append_quoted(std::string_view word, std::string* out) {
  constexpr std::string_view kEscaped = "\n\r\t\a\b\\\"";
  constexpr std::string_view kLetters = "nrtab\\\"";
  constexpr std::string_view kHex = "0123456789abcdef";
  out->push_back('"');
  for (const char c : word) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (const std::size_t at = kEscaped.find(c); at != std::string_view::npos) {
      out->append({'\\', kLetters[at]});
    } else if (byte < 0x20 || byte > 0x7E) {
      out->append({'\\', 'x', kHex[byte >> 4], kHex[byte & 0xF]});
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

}  // namespace

Monitors::Monitors(std::vector<Mailbox*> mailboxes) : mailboxes_(std::move(mailboxes)) {
  for (std::size_t i = 0; i < mailboxes_.size(); ++i) locals_.push_back(std::make_unique<Local>());
}

void Monitors::add(std::uint32_t reactor, Monitor& monitor) {
  Local& local = *locals_[reactor];
  local.monitors.push_back(&monitor);
  local.count.fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

void Monitors::remove(std::uint32_t reactor, Monitor& monitor) {
  Local& local = *locals_[reactor];
  std::erase(local.monitors, &monitor);
  local.count.fetch_sub(1, std::memory_order_relaxed);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void Monitors::show(std::string line) {
  const auto shared = std::make_shared<const std::string>(std::move(line));
  for (std::size_t i = 0; i < locals_.size(); ++i) {
    Local* const local = locals_[i].get();
    if (local->count.load(std::memory_order_relaxed) == 0) continue;
    mailboxes_[i]->post([local, shared] {
      for (Monitor* const monitor : local->monitors) monitor->on_line(*shared);
    });
  }
}

std::string monitor_line(std::int64_t unix_us, std::string_view address,
                         std::span<const std::string_view> words) {
  constexpr std::int64_t kMicrosPerSecond = 1'000'000;
  std::array<char, 48> time{};
  std::snprintf(time.data(), time.size(), "%lld.%06lld",
                static_cast<long long>(unix_us / kMicrosPerSecond),
                static_cast<long long>(unix_us % kMicrosPerSecond));
  std::string line(time.data());
  line.append(" [0 ").append(address).append("]");
  for (const std::string_view word : words) {
    line.push_back(' ');
    append_quoted(word, &line);
  }
  return line;
}

}  // namespace vigil::server
