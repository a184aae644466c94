// SPDX-License-Identifier: Apache-2.0
//
// The reader of the log: whatever a segment holds, reading it ends without a crash, and what was
// handed out encodes to the bytes that were read. The first byte chooses between bytes as they are
// and contents that get a valid size and chain, because no fuzzer guesses a checksum.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/log/check.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/directory.h"
#include "vigil/log/log_reader.h"
#include "vigil/log/record.h"
#include "vigil/log/repair.h"
#include "vigil/log/segment.h"
#include "vigil/log/testing/simulated_disk.h"

namespace vigil::log {
namespace {

constexpr ChainKey kKey{0xC0FFEE};
const std::string kFolder = "/data";
constexpr Position kEnd = std::uint64_t{1} << 20;

SegmentHeader header() {
  SegmentHeader header;
  header.end = kEnd;
  header.key = kKey;
  header.chain = kKey.seed(0);
  header.identity = {64, "xxh3", 0};
  return header;
}

// Each piece of the input, a byte of size in front of it, becomes a record that verifies.
std::string chained(std::string_view input) {
  std::string records;
  std::uint32_t chain = kKey.seed(0);
  while (!input.empty()) {
    const auto size = static_cast<std::uint8_t>(input.front() & 0x7F);
    input.remove_prefix(1);
    const std::string_view content = input.substr(0, size);
    input.remove_prefix(content.size());
    if (content.empty()) continue;
    std::string body(1, static_cast<char>(content.size()));
    body += content;
    chain = kKey.link(chain, crc32c(body), records.size());
    std::string front(kChainBytes, '\0');
    store_chain(front.data(), chain);
    records += front + body;
  }
  return records;
}

void put_file(SimulatedDisk& disk, const std::string& name, std::string_view content) {
  std::unique_ptr<File> file;
  VIGIL_CHECK(disk.open(kFolder + "/" + name, OpenMode::kCreate, &file) == 0, "a new file opens");
  VIGIL_CHECK(file->write(0, {&content, 1}) == 0, "the disk is sound");
}

// What was handed out is what the bytes at its position say.
void check_record(const LoggedRecord& logged, std::string_view records) {
  std::string body;
  encode(logged.record).append_body(&body);
  VIGIL_CHECK(records.substr(logged.position + kChainBytes, body.size()) == body,
              "a record encodes to the bytes that it was read from");
}

void read_and_repair(std::string_view records) {
  SimulatedDisk disk;
  {
    const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
    VIGIL_CHECK(directory, "a new directory opens");
    put_file(disk, segment_name(0), encode_header(header()) + std::string(records));
    std::uint64_t visited = 0;
    const Result<LogEnd> end = read_log(**directory, {}, [&](const LoggedRecord& logged) {
      check_record(logged, records);
      ++visited;
    });
    if (end) VIGIL_CHECK(end->records == visited, "the records are counted");
  }
  bool renewed = false;
  const Result<std::unique_ptr<Directory>> directory =
      Directory::open_to_repair(kFolder, &renewed, disk);
  VIGIL_CHECK(directory && !renewed, "FORMAT is sound");
  VIGIL_CHECK(repair_directory(**directory), "whatever it was, it can be repaired");
  const Result<CheckReport> report = check_directory(**directory);
  VIGIL_CHECK(report, "a directory that was repaired is read");
  for (const CheckFinding& finding : report->findings) {
    std::fprintf(stderr, "%s\n", finding.sentence.c_str());
  }
  VIGIL_CHECK(report->clean(), "what was repaired is sound");
}

}  // namespace
}  // namespace vigil::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil::log;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const std::string_view rest = input.substr(1);
  read_and_repair(input.front() % 2 == 0 ? std::string(rest) : chained(rest));
  return 0;
}
