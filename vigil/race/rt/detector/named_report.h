// SPDX-License-Identifier: Apache-2.0
//
// A finding with names for a program that was started by itself: the records go to a file without a
// name, and `vigil race show`, found by the option `tool` or in PATH, prints the latest finding of
// it, as ThreadSanitizer asks llvm-symbolizer. Without vigil there is plain_report.h.
//
// Thread safety: under the lock of the findings. Context: interceptor, signal.
#pragma once

#include <cstdint>

namespace vigil::race {

enum class NamedReport : std::uint8_t { kPrinted, kSuppressed, kFailed };

// REQUIRES: the finding was recorded and flushed to the file, which is `records`.
NamedReport print_named(long records);

}  // namespace vigil::race
