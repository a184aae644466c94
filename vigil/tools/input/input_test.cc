// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/tools/input/parts.h"
#include "vigil/tools/input/spooled_file.h"
#include "vigil/tools/input/text_input.h"

namespace vigil::tools::input {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Pair;
using testing::StartsWith;

using Files = std::vector<std::pair<std::string, std::string>>;

struct Read {
  std::map<std::string, std::string> texts;
  std::string error;
};

Read read(const std::string& bytes, const PartLimits& limits = {}) {
  Read result;
  std::istringstream stream(bytes);
  StreamSource source(stream);
  const Result<void> done = for_each_part(
      source, "in",
      [&](Part& part) -> Result<void> {
        TextInput text(part.content);
        std::string& kept = result.texts[part.name];
        while (!text.ahead().empty()) {
          kept.append(text.ahead());
          text.take(text.ahead().size());
        }
        return text.error() ? *text.error() : Result<void>();
      },
      limits);
  if (!done) result.error = done.error().message;
  return result;
}

la_ssize_t append(struct archive* /*archive*/, void* text, const void* bytes, std::size_t size) {
  static_cast<std::string*>(text)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

// What libarchive's writer makes: `format` "raw" is one compressed file.
std::string packed(const Files& files, const char* format, const char* filter) {
  std::string bytes;
  struct archive* const archive = archive_write_new();
  archive_write_set_bytes_in_last_block(archive, 1);  // without padding
  EXPECT_EQ(archive_write_set_format_by_name(archive, format), ARCHIVE_OK) << format;
  if (*filter != '\0') {
    EXPECT_EQ(archive_write_add_filter_by_name(archive, filter), ARCHIVE_OK) << filter;
  }
  EXPECT_EQ(archive_write_open(archive, &bytes, nullptr, append, nullptr), ARCHIVE_OK);
  for (const auto& [name, text] : files) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    EXPECT_EQ(archive_write_header(archive, entry), ARCHIVE_OK) << archive_error_string(archive);
    archive_write_data(archive, text.data(), text.size());
    archive_entry_free(entry);
  }
  archive_write_free(archive);
  return bytes;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  return text;
}

constexpr const char* kFilters[] = {"gzip", "xz", "zstd", "bzip2", "lz4"};

TEST(PartsTest, CompressedFilesAreRead) {
  for (const char* filter : kFilters) {
    const Read result = read(packed({{"log", long_text()}}, "raw", filter));
    EXPECT_EQ(result.error, "") << filter;
    ASSERT_EQ(result.texts.size(), 1U) << filter;
    EXPECT_TRUE(result.texts.at("in") == long_text()) << filter;
  }
}

TEST(PartsTest, ArchivesAreReadFileByFile) {
  const Files files = {{"logs/a.log", long_text()}, {"b.log", "b\n"}, {"empty", ""}};
  for (const auto& [format, filter] :
       {std::pair("zip", ""), std::pair("ustar", ""), std::pair("pax", "gzip"),
        std::pair("gnutar", "xz"), std::pair("ustar", "zstd")}) {
    const Read result = read(packed(files, format, filter));
    EXPECT_EQ(result.error, "") << format;
    ASSERT_THAT(result.texts, ElementsAre(Key("in/b.log"), Key("in/empty"), Key("in/logs/a.log")));
    EXPECT_EQ(result.texts.at("in/b.log"), "b\n");
    EXPECT_TRUE(result.texts.at("in/logs/a.log") == long_text()) << format;
  }
}

TEST(PartsTest, ArchivesWithinArchivesAreReadToALimit) {
  std::string bytes = packed({{"log", "text\n"}}, "raw", "gzip");
  for (int depth = 1; depth < PartLimits().depth; ++depth)
    bytes = packed({{"in", bytes}}, "zip", "");
  EXPECT_THAT(read(bytes).texts, ElementsAre(Pair("in/in/in/in", "text\n")));
  EXPECT_THAT(read(packed({{"in", bytes}}, "zip", "")).error, HasSubstr("more than 4 deep"));
}

// Wherever the bytes end, the end is missed.
TEST(PartsTest, WhatIsCutShortIsAnError) {
  const Files files = {{"a.log", long_text()}, {"b.log", "b\n"}};
  for (const char* format : {"zip", "ustar", "raw"}) {
    for (const char* filter : {"gzip", "xz", "zstd", "bzip2", "lz4"}) {
      const bool is_file = format == std::string("raw");
      const Files content = is_file ? Files{files.front()} : files;
      const std::string bytes = packed(content, format, format == std::string("zip") ? "" : filter);
      const std::size_t step = bytes.size() / 50 + 1;
      for (std::size_t size = 16; size + 1024 < bytes.size(); size += step) {
        EXPECT_NE(read(bytes.substr(0, size)).error, "") << format << " " << filter << " " << size;
      }
    }
  }
}

TEST(PartsTest, WhatExpandsWithoutEndIsAnErrorAtEveryLevel) {
  EXPECT_EQ(PartLimits().expanded_bytes, std::uint64_t{4} << 30);
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  const PartLimits limits = {.expanded_bytes = 2 * kMebibyte};
  const std::string zeros(3 * kMebibyte, '\0');
  for (const char* filter : kFilters) {
    EXPECT_THAT(read(packed({{"log", zeros}}, "raw", filter), limits).error,
                HasSubstr("expands to more than 2 MiB"))
        << filter;
  }
  // The parts count together, and so do the levels.
  const std::string small(kMebibyte, 'x');
  EXPECT_EQ(read(packed({{"a", small}}, "zip", ""), limits).error, "");
  EXPECT_THAT(read(packed({{"a", small}, {"b", small}, {"c", small}}, "zip", ""), limits).error,
              HasSubstr("expands to more than 2 MiB"));
  const std::string inner = packed({{"a", small + small.substr(1)}}, "raw", "gzip");
  EXPECT_EQ(read(inner, limits).error, "");
  EXPECT_THAT(read(packed({{"in", inner}}, "zip", ""), limits).error,
              HasSubstr("expands to more than 2 MiB"));
}

TEST(PartsTest, AnArchiveHasSoManyFilesAndNoMore) {
  const Files files = {{"a", "1\n"}, {"b", "2\n"}, {"c", "3\n"}};
  EXPECT_EQ(read(packed(files, "zip", ""), {.parts = 3}).error, "");
  EXPECT_THAT(read(packed(files, "zip", ""), {.parts = 2}).error, HasSubstr("more than 2 files"));
}

TEST(PartsTest, NamesInAnArchiveCannotSpeakToATerminal) {
  EXPECT_THAT(read(packed({{"a\n::error::\x1b[2J", "x\n"}}, "zip", "")).texts,
              ElementsAre(Pair("in/a?::error::?[2J", "x\n")));
}

TEST(PartsTest, ATarArchiveThatEndsBetweenFilesIsAnError) {
  const std::string bytes = packed({{"a.log", "a\n"}, {"b.log", "b\n"}}, "ustar", "");
  EXPECT_THAT(read(bytes.substr(0, 1024)).error, HasSubstr("end mark is missing"));
}

TEST(PartsTest, WhatFollowsTheEndIsReadOrAnError) {
  for (const char* filter : kFilters) {
    const std::string one = packed({{"log", "one\n"}}, "raw", filter);
    const Read twice = read(one + one);
    EXPECT_TRUE(twice.texts.at("in") == "one\none\n" || !twice.error.empty()) << filter;
    EXPECT_NE(read(one + "WARNING: DATA RACE\n").error, "") << filter;
  }
  const std::string zip = packed({{"a", "a\n"}}, "zip", "");
  EXPECT_THAT(read(zip + zip).error, HasSubstr("something else follows"));
  const std::string tar = packed({{"a", "a\n"}}, "ustar", "");
  const std::string other = packed({{"b", "b\n"}}, "ustar", "");
  EXPECT_THAT(read(tar + other).texts, ElementsAre(Pair("in/a", "a\n"), Pair("in/b", "b\n")));
}

TEST(PartsTest, ChangedBytesOfGzipAreFoundByItsChecksum) {
  // Stored without compression: every flipped bit still inflates.
  std::string bytes = packed({{"log", "WARNING: DATA RACE\n"}}, "raw", "gzip");
  const std::string checksum = bytes.substr(bytes.size() - 8, 4);
  bytes[bytes.size() - 8] = static_cast<char>(~checksum.front());
  EXPECT_THAT(read(bytes).error, HasSubstr("gzip: incorrect data check"));
}

TEST(PartsTest, WhatWasReadBeforeTheDamageIsKept) {
  const std::string bytes = packed({{"log", long_text()}}, "raw", "gzip");
  const Read result = read(bytes.substr(0, bytes.size() / 2));
  EXPECT_THAT(result.error, AllOf(StartsWith("in: "), HasSubstr("cut short")));
  EXPECT_GT(result.texts.at("in").size(), long_text().size() / 4);
}

TEST(TextInputTest, ZeroBytesAreTakenOutAndCounted) {
  std::istringstream stream(std::string("a\nb\0\0c\nd\0", 9));
  StreamSource source(stream);
  HeadedSource headed(source);
  TextInput text(headed);
  const Result<std::string> all = text.take_all(1000);
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, "a\nbc\nd");
  EXPECT_EQ(text.zero_bytes(), 3U);
  EXPECT_EQ(text.first_zero_line(), 2U);
  EXPECT_EQ(text.line(), 3U);
  EXPECT_FALSE(text.binary_line());
}

TEST(TextInputTest, LooksAcrossPieces) {
  class Slow : public ByteSource {
   public:
    Result<std::string_view> read() override {
      piece_ = at_ < 10'000 ? std::string(1, static_cast<char>('a' + at_++ % 26)) : "";
      return std::string_view(piece_);
    }

   private:
    int at_ = 0;
    std::string piece_;
  };
  Slow slow;
  HeadedSource headed(slow);
  std::string seen;
  TextInput text(headed, [&](std::string_view bytes) { seen.append(bytes); });
  text.take(text.ahead().size() - 1);
  EXPECT_EQ(text.ahead(5).size(), 5U);
  ASSERT_TRUE(text.take_all(10'000));
  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(TextInputTest, Utf16KeepsItsCharacters) {
  const auto decoded = [](const std::string& bytes) { return read(bytes).texts.at("in"); };
  const std::string_view little("\xff\xfe\x41\0\xe4\0\x2d\x4e\x3d\xd8\x00\xde\x0a\0", 14);
  EXPECT_EQ(decoded(std::string(little)), "A\u00e4\u4e2d\U0001f600\n");
  const std::string_view big("\xfe\xff\0\x41\0\xe4\x4e\x2d\xd8\x3d\xde\x00\0\x0a", 14);
  EXPECT_EQ(decoded(std::string(big)), "A\u00e4\u4e2d\U0001f600\n");
  EXPECT_EQ(decoded(std::string("\xff\xfe\x3d\xd8\x41\0", 6)),
            "\ufffd"
            "A");
  EXPECT_THAT(read(std::string("\xff\xfe\x41\0\x41", 5)).error, HasSubstr("within a character"));
}

TEST(FileSourceTest, AFifoIsOpenedOnceAndReadOnce) {
  char folder[] = "/tmp/vigil-input-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = folder + std::string("/fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(path) << long_text(); });
  std::string all;
  const Result<void> done = for_each_part(path, {}, [&](Part& part) -> Result<void> {
    TextInput text(part.content);
    const Result<std::string> read = text.take_all(1 << 30);
    if (!read) return read.error();
    all = *read;
    return {};
  });
  writer.join();
  EXPECT_TRUE(done);
  EXPECT_TRUE(all == long_text());
  unlink(path.c_str());
  rmdir(folder);
}

TEST(FileSourceTest, FoldersAndEndlessDevicesAreErrors) {
  for (const char* path : {"/dev/zero", "/dev/null", "/tmp", "/nowhere/log"}) {
    const Result<std::unique_ptr<FileSource>> file = FileSource::open(path);
    EXPECT_FALSE(file) << path;
  }
}

TEST(SpooledFileTest, HoldsWhatTheSourceHeld) {
  std::istringstream stream(long_text());
  StreamSource source(stream);
  const Result<SpooledFile> file = SpooledFile::of(source);
  ASSERT_TRUE(file) << file.error().message;
  std::stringstream content;
  content << std::ifstream(file->path()).rdbuf();
  EXPECT_TRUE(content.str() == long_text());
}

}  // namespace
}  // namespace vigil::tools::input
