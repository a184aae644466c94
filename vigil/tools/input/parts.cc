// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/parts.h"

#include <memory>
#include <optional>

#include "vigil/tools/input/archive.h"
#include "vigil/tools/input/gzip_source.h"

namespace vigil::tools::input {

namespace {

class ReportingSource : public ByteSource {
 public:
  ReportingSource(FileSource& file, const OnProgress& on_progress)
      : file_(file), on_progress_(on_progress), progress_{.bytes_total = file.size()} {}

  Result<std::string_view> read() override {
    constexpr std::uint64_t kProgressBytes = std::uint64_t{1} << 20;
    Result<std::string_view> piece = file_.read();
    if (piece) progress_.bytes_read += piece->size();
    if (on_progress_ && progress_.bytes_read >= next_bytes_) {
      next_bytes_ = progress_.bytes_read + kProgressBytes;
      on_progress_(progress_);
    }
    return piece;
  }

 private:
  FileSource& file_;
  const OnProgress& on_progress_;
  Progress progress_;
  std::uint64_t next_bytes_ = 0;
};

// What came out of one input, at all levels: a small file may expand without end.
struct Expansion {
  std::uint64_t bytes = 0;
  std::uint64_t parts = 0;
};

class ExpandedSource : public ByteSource {
 public:
  ExpandedSource(ByteSource& source, std::uint64_t bytes_max, Expansion* expansion)
      : source_(source), bytes_max_(bytes_max), expansion_(*expansion) {}

  Result<std::string_view> read() override {
    Result<std::string_view> piece = source_.read();
    if (piece) expansion_.bytes += piece->size();
    if (piece && expansion_.bytes > bytes_max_) {
      piece = Error{"expands to more than " + std::to_string(bytes_max_ >> 20) + " MiB"};
    }
    is_at_end_ = !piece || piece->empty();
    return piece;
  }
  [[nodiscard]] bool is_at_end() const { return is_at_end_; }

 private:
  ByteSource& source_;
  std::uint64_t bytes_max_;
  Expansion& expansion_;
  bool is_at_end_ = false;
};

class Walk {
 public:
  Walk(const PartVisitor& visit, const PartLimits& limits) : visit_(visit), limits_(limits) {}

  Result<void> walk(const std::string& name, ByteSource& bytes, int depth, bool is_in_archive) {
    HeadedSource source(bytes);
    const std::string_view head = source.head();
    const std::optional<Archive::Format> format = Archive::format_of(head);
    if (!format && !is_gzip(head)) return leaf(name, source, depth, is_in_archive);
    if (depth == limits_.depth) {
      return Error{name + ": archives within archives, more than " + std::to_string(limits_.depth) +
                   " deep"};
    }
    if (format) return walk_archive(name, source, *format, depth, is_in_archive);
    GzipSource inflated(source);
    return walk_content(name, inflated, depth, is_in_archive);
  }

 private:
  Result<void> leaf(const std::string& name, HeadedSource& source, int depth, bool is_in_archive) {
    if (++expansion_.parts > limits_.parts) {
      return Error{name + ": an archive of more than " + std::to_string(limits_.parts) + " files"};
    }
    Part part{name, is_in_archive, depth > 0, source};
    if (Result<void> visited = visit_(part); !visited) {
      return Error{name + ": " + visited.error().message};
    }
    return {};
  }

  Result<void> walk_archive(const std::string& name, ByteSource& source, Archive::Format format,
                            int depth, bool is_in_archive) {
    Archive archive(source, format);
    for (bool has_file = false;; has_file = true) {
      const Result<bool> more = archive.next();
      if (!more) return Error{name + ": " + more.error().message};
      if (!*more && !has_file) return Error{name + ": holds no file"};
      if (!*more) return {};
      const bool has_name = !archive.name().empty();
      const std::string inner = has_name ? name + "/" + archive.name() : name;
      Result<void> done = walk_content(inner, archive, depth, is_in_archive || has_name);
      if (!done) return done;
    }
  }

  // A visitor may leave a part unread, such as an image; damage behind it is damage all the same.
  Result<void> walk_content(const std::string& name, ByteSource& content, int depth,
                            bool is_in_archive) {
    ExpandedSource source(content, limits_.expanded_bytes, &expansion_);
    Result<void> done = walk(name, source, depth + 1, is_in_archive);
    while (done && !source.is_at_end()) {
      const Result<std::string_view> piece = source.read();
      if (!piece) return Error{name + ": " + piece.error().message};
    }
    return done;
  }

  const PartVisitor& visit_;
  const PartLimits& limits_;
  Expansion expansion_;
};

}  // namespace

Result<void> for_each_part(const std::string& path, const OnProgress& on_progress,
                           const PartVisitor& visit, const PartLimits& limits) {
  const std::string name = path == "-" ? "standard input" : path;
  Result<std::unique_ptr<FileSource>> file = FileSource::open(path);
  if (!file) return Error{name + ": " + file.error().message};
  ReportingSource source(**file, on_progress);
  return for_each_part(source, name, visit, limits);
}

Result<void> for_each_part(ByteSource& source, const std::string& name, const PartVisitor& visit,
                           const PartLimits& limits) {
  return Walk(visit, limits).walk(name, source, 0, false);
}

}  // namespace vigil::tools::input
