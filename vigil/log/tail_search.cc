// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/tail_search.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "vigil/log/little_endian.h"

namespace vigil::log {
namespace {

constexpr std::size_t kWindowBytes = std::size_t{1} << 20;
constexpr std::size_t kMarkBytesMin = kChainBytes + 1 + 1 + 1 + 4;

// The mark at the front of `bytes`, whose place is `position` in the run of `key`.
std::optional<FoundMark> mark_at(std::string_view bytes, Position position, const ChainKey& key) {
  const std::optional<RawRecord> record = split_record(bytes);
  if (!record || type_of(record->raw.content) != RecordType::kMark) return {};
  const std::optional<Mark> mark = decode_mark(record->raw.content, position, key);
  if (!mark) return {};
  return FoundMark{0, record->bytes(), *mark};
}

// Cheap and almost always enough: a mark has a small size and its type behind it.
bool may_be_mark(const char* bytes) {
  const auto size = static_cast<std::uint8_t>(bytes[kChainBytes]);
  return size >= kMarkBytesMin - kChainBytes - 1 && size < kMarkBytesMax - kChainBytes &&
         type_of({bytes + kChainBytes + 1, 1}) == RecordType::kMark;
}

class Search {
  static constexpr std::uint64_t kNowhere = std::numeric_limits<std::uint64_t>::max();

 public:
  Search(const SegmentHeader& header, Position hole) : header_(header), hole_(hole) {}

  // `bytes` begin at `offset` of the file; marks that begin in the first `count` of them.
  void look_at(std::string_view bytes, std::uint64_t offset, std::size_t count) {
    for (std::size_t i = 0; i < count;) {
      // No mark begins at i .. i + 7 if these are zero: its type is not.
      if (i + kChainBytes + 9 <= bytes.size() &&
          load_little<std::uint64_t>(bytes.data() + i + kChainBytes + 1) == 0) {
        i += 8;
        continue;
      }
      if (i + kMarkBytesMin <= bytes.size() && may_be_mark(bytes.data() + i)) {
        look_at_mark(bytes.substr(i, kMarkBytesMax), offset + i);
      }
      ++i;
    }
    const std::size_t last = bytes.substr(0, count).find_last_not_of('\0');
    if (last != std::string_view::npos) nonzero_end_ = offset + last + 1;
  }

  [[nodiscard]] TailSearch finish(std::uint64_t begin, std::uint64_t file_end) {
    const std::uint64_t own_end = found_.last ? found_.last->end_offset : begin;
    if (header_.zero_filled) {
      found_.written_end = std::max(own_end, nonzero_end_);
    } else {
      found_.written_end = std::max(own_end, std::min(old_begin_, file_end));
    }
    return found_;
  }

 private:
  void look_at_mark(std::string_view bytes, std::uint64_t offset) {
    const std::uint64_t in_segment = offset - kHeaderBlockBytes;
    if (std::optional<FoundMark> own = mark_at(bytes, header_.first + in_segment, header_.key)) {
      own->offset = offset;
      own->end_offset += offset;
      found_.last = own;
      old_begin_ = kNowhere;
      if (!found_.proof && own->mark.durable > hole_) found_.proof = own;
      return;
    }
    if (!header_.zero_filled && old_begin_ == kNowhere &&
        mark_at(bytes, header_.previous_first + in_segment, header_.previous_key)) {
      old_begin_ = offset;
    }
  }

  const SegmentHeader& header_;
  const Position hole_;
  TailSearch found_;
  std::uint64_t nonzero_end_ = 0;
  std::uint64_t old_begin_ = kNowhere;  // of the first old mark behind the last own one
};

}  // namespace

TailSearch search_tail(File& file, const SegmentHeader& header, std::uint64_t offset,
                       Position hole) {
  Search search(header, hole);
  std::uint64_t size = 0;
  TailSearch failed;
  failed.error = file.size(&size);
  if (failed.error != 0) return failed;
  const std::size_t step_max = std::min<std::uint64_t>(kWindowBytes, size);
  std::string window(step_max + kMarkBytesMax, '\0');
  const std::uint64_t begin = offset;
  for (;;) {
    std::size_t count = 0;
    failed.error = file.read(offset, window.data(), window.size(), &count);
    if (failed.error != 0) return failed;
    const std::size_t step = std::min(count, step_max);
    search.look_at({window.data(), count}, offset, step);
    offset += step;
    if (count <= step_max) break;
  }
  return search.finish(begin, offset);
}

}  // namespace vigil::log
