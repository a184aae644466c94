// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "vigil/base/check.h"

namespace vigil::tools::input {

namespace {

using Libarchive = struct archive;

// A tar archive ends in two of them.
constexpr std::size_t kTarBlockBytes = 512;
constexpr std::string_view kZipFile("PK\3\4", 4);
constexpr std::string_view kZipWithoutFiles("PK\5\6", 4);

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// A name is printed: a terminal or a CI service must not obey it.
bool is_unprintable(char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; }

int support(Libarchive* archive, Archive::Format format) {
  using Format = Archive::Format;
  switch (format) {
    case Format::kZip:
      return archive_read_support_format_zip_streamable(archive);
    case Format::kTar:
      return archive_read_support_format_tar(archive);
    case Format::kXz:
      return archive_read_support_filter_xz(archive);
    case Format::kZstd:
      return archive_read_support_filter_zstd(archive);
    case Format::kBzip2:
      return archive_read_support_filter_bzip2(archive);
    case Format::kLz4:
      return archive_read_support_filter_lz4(archive);
  }
  return ARCHIVE_FATAL;
}

}  // namespace

std::optional<Archive::Format> Archive::format_of(std::string_view head) {
  constexpr std::size_t kTarMagicAt = 257;
  if (head.starts_with(kZipFile) || head.starts_with(kZipWithoutFiles)) return Format::kZip;
  if (head.starts_with(std::string_view("\xfd"
                                        "7zXZ\0",
                                        6)))
    return Format::kXz;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Format::kZstd;
  if (head.starts_with("BZh") && head.substr(4).starts_with("1AY&SY")) return Format::kBzip2;
  if (head.starts_with("\x04\x22\x4d\x18")) return Format::kLz4;
  if (head.size() > kTarMagicAt && head.substr(kTarMagicAt).starts_with("ustar")) {
    return Format::kTar;
  }
  return std::nullopt;
}

void Archive::Closer::operator()(Libarchive* archive) const { archive_read_free(archive); }

Archive::Archive(ByteSource& packed, Format format)
    : packed_(packed), format_(format), archive_(archive_read_new()) {
  VIGIL_CHECK(archive_ != nullptr, "libarchive has no memory");
  VIGIL_CHECK(support(archive_.get(), format) == ARCHIVE_OK, "libarchive lacks a format");
  if (is_compressed_file()) {
    archive_read_support_format_raw(archive_.get());
    archive_read_support_format_empty(archive_.get());
  }
  archive_read_set_option(archive_.get(), "tar", "read_concatenated_archives", "1");
}

Archive::~Archive() = default;

bool Archive::is_compressed_file() const {
  return format_ != Format::kZip && format_ != Format::kTar;
}

la_ssize_t Archive::feed(Libarchive* archive, void* self, const void** bytes) {
  auto& that = *static_cast<Archive*>(self);
  that.fed_begin_ += that.fed_.size();
  const Result<std::string_view> piece = that.packed_.read();
  if (!piece) {
    that.source_error_ = piece.error();
    archive_set_error(archive, EIO, "%s", piece.error().message.c_str());
    return ARCHIVE_FATAL;
  }
  that.fed_ = *piece;
  that.tail_.append(
      that.fed_.substr(that.fed_.size() - std::min(that.fed_.size(), kTarBlockBytes)));
  that.tail_.erase(0, that.tail_.size() - std::min(that.tail_.size(), kTarBlockBytes));
  *bytes = that.fed_.data();
  return static_cast<la_ssize_t>(that.fed_.size());
}

Error Archive::error() const {
  if (source_error_) return *source_error_;
  const char* const text = archive_error_string(archive_.get());
  return Error{"archive or compressed file, damaged or cut short: " +
               std::string(text == nullptr ? "the end is missing" : text)};
}

Result<bool> Archive::next() {
  if (!is_open_ &&
      archive_read_open(archive_.get(), this, nullptr, &Archive::feed, nullptr) != ARCHIVE_OK) {
    return error();
  }
  is_open_ = true;
  for (;;) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(archive_.get(), &entry);
    if (code == ARCHIVE_EOF) return finish();
    if (code != ARCHIVE_OK) return error();
    if (is_compressed_file()) return true;
    const char* const path = archive_entry_pathname(entry);
    name_ = path == nullptr ? "?" : path;
    std::replace_if(name_.begin(), name_.end(), is_unprintable, '?');
    const bool is_link = archive_entry_hardlink(entry) != nullptr;
    if (archive_entry_filetype(entry) == AE_IFREG && !is_link) return true;
  }
}

Result<std::string_view> Archive::read() {
  const void* bytes = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  // Holes of sparse files are left out: nothing is read in them.
  do {
    const int code = archive_read_data_block(archive_.get(), &bytes, &size, &offset);
    if (code == ARCHIVE_EOF) return std::string_view();
    if (code != ARCHIVE_OK) return error();
  } while (size == 0);
  return std::string_view(static_cast<const char*>(bytes), size);
}

// Reads what libarchive did not: it stops where it believes the archive to end.
Result<bool> Archive::finish() {
  const auto taken = static_cast<std::uint64_t>(archive_filter_bytes(archive_.get(), -1));
  std::string rest(fed_.substr(std::min<std::uint64_t>(fed_.size(), taken - fed_begin_)));
  for (;;) {
    if (Result<void> checked = check_end(rest); !checked) return checked.error();
    // A mark may lie across two pieces.
    rest.erase(0, rest.size() - std::min(rest.size(), kZipFile.size() - 1));
    const Result<std::string_view> piece = packed_.read();
    if (!piece) return piece.error();
    if (piece->empty()) break;
    rest.append(*piece);
  }
  if (format_ == Format::kTar && !is_zero(tail_)) {
    return Error{"tar: the archive is cut short: its end mark is missing"};
  }
  return false;
}

Result<void> Archive::check_end(std::string_view rest) {
  const bool is_good =
      format_ == Format::kZip ? rest.find(kZipFile) == std::string_view::npos : is_zero(rest);
  if (!is_good) return Error{"something else follows the archive or the compressed data"};
  return {};
}

}  // namespace vigil::tools::input
