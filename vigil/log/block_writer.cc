// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/block_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace vigil::log {
namespace {

// Small enough to stay in a core's cache, large enough that the calls do not count.
constexpr std::size_t kBufferBytes = std::size_t{512} << 10;

constexpr std::uint64_t block_of(std::uint64_t offset) {
  return offset - offset % File::kBlockBytes;
}

}  // namespace

void BlockWriter::FreeBuffer::operator()(char* buffer) const {
  ::operator delete[](buffer, std::align_val_t{File::kBlockBytes});
}

BlockWriter::BlockWriter()
    : buffer_(
          static_cast<char*>(::operator new[](kBufferBytes, std::align_val_t{File::kBlockBytes}))),
      tail_(std::make_unique<char[]>(File::kBlockBytes)) {}

int BlockWriter::write(const Target& target, std::span<const std::string_view> pieces,
                       std::size_t zeroes, Path path) {
  if (const int error = load_tail(target); error != 0) return error;
  target_ = &target;
  path_ = path;
  buffer_offset_ = block_of(target.offset);
  used_ = target.offset - buffer_offset_;
  std::memcpy(buffer_.get(), tail_.get(), used_);
  for (const std::string_view piece : pieces) {
    if (const int error = add(piece); error != 0) return error;
  }
  const std::uint64_t end = buffer_offset_ + used_;
  const std::size_t in_block = end % File::kBlockBytes;
  // Before it is written: a full buffer is reused.
  std::memcpy(tail_.get(), buffer_.get() + (used_ - in_block), in_block);
  tail_file_ = nullptr;
  const std::uint64_t filled = block_of(end + zeroes + File::kBlockBytes - 1);
  const std::uint64_t padded_end = std::max(end, std::min(filled, target.file_bytes));
  for (std::uint64_t left = padded_end - end; left > 0;) {
    static constexpr char kZeroes[File::kBlockBytes] = {};
    const std::size_t part = std::min<std::uint64_t>(left, sizeof kZeroes);
    if (const int error = add({kZeroes, part}); error != 0) return error;
    left -= part;
  }
  if (const int error = flush(); error != 0) return error;
  tail_file_ = &target.file;
  tail_end_ = end;
  return 0;
}

int BlockWriter::load_tail(const Target& target) {
  if (tail_file_ == &target.file && tail_end_ == target.offset) return 0;
  tail_file_ = nullptr;
  const std::uint64_t begin = block_of(target.offset);
  std::size_t count = 0;
  const int error = target.file.read(begin, tail_.get(), target.offset - begin, &count);
  if (error != 0) return error;
  if (count != target.offset - begin) return EIO;  // the file ends before its stream
  tail_file_ = &target.file;
  tail_end_ = target.offset;
  return 0;
}

int BlockWriter::add(std::string_view bytes) {
  while (!bytes.empty()) {
    if (used_ == kBufferBytes) {
      if (const int error = flush(); error != 0) return error;
    }
    const std::size_t part = std::min(bytes.size(), kBufferBytes - used_);
    std::memcpy(buffer_.get() + used_, bytes.data(), part);
    used_ += part;
    bytes.remove_prefix(part);
  }
  return 0;
}

// Only the end of a file may lie within a block; that goes through the cache.
int BlockWriter::flush() {
  const std::string_view bytes(buffer_.get(), used_);
  const bool direct = path_ == Path::kDirect && used_ % File::kBlockBytes == 0;
  const int error = direct ? target_->file.write_direct(buffer_offset_, bytes)
                           : target_->file.write(buffer_offset_, {&bytes, 1});
  buffer_offset_ += used_;
  used_ = 0;
  return error;
}

}  // namespace vigil::log
