// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/fault.h"

#include <cxxabi.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <typeinfo>

#include "vigil/base/clock.h"

namespace vigil::server {

namespace {

// Fixed, so that running out of memory can be reported as well.
using Line = std::array<char, 400>;
using Reason = std::array<char, 200>;

void describe(const char* type, const char* reason, Reason* out) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type, nullptr, nullptr, &status), &std::free);
  std::snprintf(out->data(), out->size(), "%s%s%s", name ? name.get() : type,
                reason == nullptr ? "" : ": ", reason == nullptr ? "" : reason);
  // The reason may quote what a peer sent.
  for (char& c : *out) {
    if (c != '\0' && (c < ' ' || c > '~')) c = '?';
  }
}

// Of the exception that is being handled.
void describe_current(Reason* out) {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  const char* const type_name = type == nullptr ? "a foreign exception" : type->name();
  try {
    throw;
  } catch (const std::exception& error) {
    describe(type_name, error.what(), out);
  } catch (...) {
    describe(type_name, nullptr, out);
  }
}

}  // namespace

void FaultLog::report(const FaultPlace& place) noexcept {
  if (!may_write()) return;
  Reason reason{};
  describe_current(&reason);
  write(place, reason.data());
}

void FaultLog::report(const FaultPlace& place, const char* reason) noexcept {
  if (may_write()) write(place, reason);
}

// Not more than a line per interval.
bool FaultLog::may_write() noexcept {
  const std::int64_t now_ns = monotonic_ns();
  std::int64_t next_ns = next_ns_.load(std::memory_order_relaxed);
  if (now_ns >= next_ns &&
      next_ns_.compare_exchange_strong(next_ns, now_ns + kInterval_ns, std::memory_order_relaxed)) {
    return true;
  }
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void FaultLog::write(const FaultPlace& place, const char* reason) noexcept {
  const std::uint64_t left_out = left_out_.exchange(0, std::memory_order_relaxed);
  Line line{};
  std::snprintf(line.data(), line.size(), "%s %llu ended by %s; faults without a line: %llu",
                place.what, static_cast<unsigned long long>(place.number), reason,
                static_cast<unsigned long long>(left_out));
  try {
    if (sink_) sink_(line.data());
  } catch (...) {  // the line is lost; the fault was counted
  }
}

}  // namespace vigil::server
