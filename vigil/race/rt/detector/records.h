// SPDX-License-Identifier: Apache-2.0
//
// The record file (vigil/report/record.h), as the runtime writes it. Records are gathered and
// written in whole numbers at findings, at the end and when the buffer is full; the stacks, modules
// and threads that a record names are written before it.
//
// Thread safety: all functions. Context: interceptor, signal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

// Opens the file of the option `out`; without one, if vigil can be found, a file without a name
// that named_report.h reads. Context: init.
void records_init();

// Whether there is a record file.
bool recording_to_file();

// Its descriptor; -1 if there is none.
long record_file();

// The program's own suppressions, lines as in a file of them.
void record_suppressions(const char* text);

// Writes the stack, module or thread unless it was written before.
void record_stack(StackId stack);
void record_thread(std::uint32_t number);

// Fills in the header and appends the record.
void append_record(report::RecordKind kind, report::RecordHeader* record, std::size_t size);

// Writes what was gathered to the file.
void flush_records();

// The child of fork() starts a stream of its own in the same file.
void records_after_fork();

}  // namespace vigil::race
