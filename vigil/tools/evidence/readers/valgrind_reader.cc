// SPDX-License-Identifier: Apache-2.0
//
// XML of valgrind's helgrind and drd (--xml=yes). Only the elements that are named here are looked
// at; the text of an element arrives in pieces.
//
// Helgrind has both stacks of a race. Drd has one, and for the other thread the places where the
// segment of its execution began and ended: the innermost of these with an application frame stands
// for the other side, without an address, which makes the collision likely rather than certain.
#include <expat.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vigil/tools/evidence/documents.h"
#include "vigil/tools/evidence/scanner.h"
#include "vigil/tools/layers/layers.h"

namespace vigil::tools::evidence {

namespace {

using report::Kind;
using report::Operation;

Kind kind_of(std::string_view kind) {
  if (kind == "Race" || kind == "ConflictingAccess") return Kind::kRace;
  if (kind == "LockOrder" || kind == "UnlockForeign" || kind == "UnlockUnlocked" ||
      kind == "UnlockBogus" || kind == "MutexErr" || kind == "CondErr" || kind == "RwlockErr" ||
      kind == "HoldtimeErr") {
    return Kind::kLockMisuse;
  }
  return Kind::kOther;
}

// "data symbol "_ZN3svc8sessionsE"" -> "svc::sessions": only nested names, the common case.
std::string symbol_name(std::string_view symbol) {
  Scanner scan(symbol);
  if (!scan.accept("_ZN")) return std::string(symbol);
  std::string name;
  while (!scan.at_end() && !scan.rest().starts_with('E')) {
    const std::optional<std::uint64_t> size = scan.number();
    if (!size || *size > scan.rest().size()) return std::string(symbol);
    const std::string_view part = scan.rest().substr(0, *size);
    name.append(name.empty() ? "" : "::").append(part);
    scan.accept(part);
  }
  return name;
}

class ValgrindReader {
 public:
  explicit ValgrindReader(Sink& sink) : sink_(sink) {}

  void start(std::string_view element) {
    text_.clear();
    if (element == "error") {
      error_ = report::Finding();
      segments_.clear();
      stacks_ = 0;
    } else if (element == "announcethread") {
      announced_ = report::Thread{};
    } else if (element == "stack") {
      stack_.clear();
    } else if (element == "frame") {
      frame_ = {};
      directory_.clear();
    } else if (element.starts_with("other_segment")) {
      in_segment_ = true;
    }
  }

  void text(std::string_view piece) {
    if (text_.size() < kLineBytesMax) text_.append(piece);
  }

  void end(std::string_view element) {
    if (element == "frame") {
      end_frame();
    } else if (element == "stack") {
      end_stack();
    } else if (element == "error") {
      end_error();
    } else if (element == "announcethread") {
      if (announced_ && threads_.size() < kThreadsMax) threads_.push_back(*std::move(announced_));
      announced_.reset();
    } else if (element.starts_with("other_segment")) {
      in_segment_ = false;
    } else if (!frame_element(element)) {
      other_element(element);
    }
    text_.clear();
  }

  [[nodiscard]] bool is_finished() const { return finished_; }

 private:
  bool frame_element(std::string_view element) {
    if (element == "fn") {
      frame_.function = text_;
    } else if (element == "obj") {
      frame_.module = text_;
    } else if (element == "ip") {
      frame_.address = Scanner(text_).hex().value_or(0);
    } else if (element == "dir") {
      directory_ = text_;
    } else if (element == "file") {
      frame_.file = text_;
    } else if (element == "line") {
      frame_.line = static_cast<int>(Scanner(text_).number().value_or(0) & INT32_MAX);
    } else {
      return false;
    }
    return true;
  }

  void other_element(std::string_view element) {
    if (element == "tool" || element == "protocoltool") {
      sink_.on_proof("valgrind --tool=" + text_);
    } else if (element == "exe") {
      program_ = text_;  // the last one is the program's, the first valgrind's
    } else if (element == "argv") {
      sink_.on_program(program_);
    } else if (element == "state") {
      finished_ = text_ == "FINISHED";
    } else if (element == "hthreadid" && announced_) {
      announced_->id = thread_number(text_);
    } else if (error_) {
      error_element(element);
    }
  }

  void error_element(std::string_view element) {
    if (element == "kind") {
      error_->kind = kind_of(text_);
    } else if (element == "what" || element == "text") {
      // The headline of an access; its stack follows.
      if (error_->message.empty()) error_->message = text_;
      headline_ = text_;
    } else if (element == "auxwhat") {
      location(text_);
    }
  }

  // "Address 0x1100f8 is 24 bytes inside data symbol "_ZN3svc8sessionsE""
  void location(std::string_view text) {
    Scanner scan(text);
    if (!scan.until("inside data symbol \"")) return;
    error_->location.kind = report::Location::Kind::kGlobal;
    error_->location.object = symbol_name(scan.until("\"").value_or(""));
  }

  void end_frame() {
    if (!directory_.empty() && !frame_.file.empty()) frame_.file = directory_ + "/" + frame_.file;
    if (stack_.size() < kFramesMax) stack_.push_back(std::move(frame_));
    frame_ = {};
  }

  void end_stack() {
    if (announced_) {
      announced_->created_at = std::move(stack_);
    } else if (in_segment_) {
      segments_.push_back(std::move(stack_));
    } else if (error_ && error_->accesses.size() < kAccessesMax &&
               (stacks_ == 0 || names_access())) {
      ++stacks_;
      error_->accesses.push_back(access());
    }
    stack_.clear();
  }

  [[nodiscard]] bool names_access() const { return headline_.find(" of size ") != headline_.npos; }

  // "... data race during read of size 8 at 0x1100F8 by thread #3", "This conflicts with a previous
  // write of size 8 by thread #2", "Conflicting load by thread 3 at 0x001100f8 size 8"
  report::Access access() {
    report::Access access;
    access.stack = std::move(stack_);
    const std::string_view head = headline_;
    const bool writes = head.find("write of") != head.npos || head.find("store by") != head.npos;
    if (error_->kind == Kind::kRace)
      access.operation = writes ? Operation::kWrite : Operation::kRead;
    Scanner thread(head);
    if (thread.until("by thread ")) access.thread = thread_number(thread.rest());
    Scanner size(head);
    if (size.until(" size ")) access.size = static_cast<std::uint32_t>(size.number().value_or(0));
    Scanner address(head);
    if (address.until(" at ")) access.address = address.hex().value_or(0);
    if (access.address == 0 && !error_->accesses.empty()) {
      access.address = error_->accesses.front().address;
    }
    return access;
  }

  // "#3", "3"
  static std::int64_t thread_number(std::string_view text) {
    Scanner scan(text);
    scan.accept("#");
    return static_cast<std::int32_t>(scan.number().value_or(0) & INT32_MAX);
  }

  void end_error() {
    if (!error_) return;
    if (error_->accesses.size() == 1 && error_->kind == Kind::kRace) add_segment();
    for (const report::Access& access : error_->accesses) {
      for (const report::Thread& thread : threads_) {
        if (thread.id == access.thread) error_->threads.push_back(thread);
      }
    }
    sink_.on_finding(*std::move(error_));
    error_.reset();
  }

  void add_segment() {
    for (report::Stack& segment : segments_) {
      if (!layers::Rules::defaults().attribute(segment).has_place) continue;
      report::Access other;
      // Two reads are no conflict.
      const bool reads = error_->accesses.front().operation == Operation::kRead;
      other.operation = reads ? Operation::kWrite : Operation::kUnknown;
      other.stack = std::move(segment);
      error_->accesses.push_back(std::move(other));
      return;
    }
  }

  static constexpr std::size_t kAccessesMax = 4;
  static constexpr std::size_t kThreadsMax = 1024;

  Sink& sink_;
  std::string text_;  // of the element at hand
  std::string program_;
  std::string headline_;
  std::string directory_;
  report::Frame frame_;
  report::Stack stack_;
  std::optional<report::Finding> error_;
  std::optional<report::Thread> announced_;
  std::vector<report::Thread> threads_;
  std::vector<report::Stack> segments_;
  int stacks_ = 0;  // of the error
  bool in_segment_ = false;
  bool finished_ = false;
};

struct ParserDeleter {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

// One document: it ends with its outermost element.
class ValgrindDocument {
 public:
  enum class State : std::uint8_t { kProlog, kOther, kInside, kDone };

  explicit ValgrindDocument(Sink& sink)
      : reader_(sink), sink_(sink), parser_(XML_ParserCreate("UTF-8")) {
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), on_start, on_end);
    XML_SetCharacterDataHandler(parser_.get(), on_text);
  }

  // False: the text is no XML from some byte on, or ends. REQUIRES: every piece is ahead of `text`
  // and is taken, as far as was parsed, afterwards.
  bool parse(std::string_view piece) {
    const XML_Status status = XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()),
                                        static_cast<int>(piece.empty()));
    return status == XML_STATUS_OK;
  }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_finished() const { return reader_.is_finished(); }
  // Bytes of all pieces up to the end of the document, or to what is no XML.
  [[nodiscard]] std::size_t parsed_bytes() const {
    const XML_Index at = XML_GetCurrentByteIndex(parser_.get());
    const int token = state_ == State::kDone ? XML_GetCurrentByteCount(parser_.get()) : 0;
    return static_cast<std::size_t>(std::max<XML_Index>(at, 0) + token);
  }
  // Lines before the one at hand.
  [[nodiscard]] std::uint64_t lines() const { return XML_GetCurrentLineNumber(parser_.get()) - 1; }
  [[nodiscard]] std::string error() const {
    return XML_ErrorString(XML_GetErrorCode(parser_.get()));
  }

 private:
  // Expat's callbacks.
  static void on_start(void* self, const char* name, const char** /*attributes*/) {
    auto& that = *static_cast<ValgrindDocument*>(self);
    ++that.depth_;
    if (that.state_ == State::kInside) return that.reader_.start(name);
    const bool is_valgrind = std::string_view(name) == "valgrindoutput";
    that.state_ = is_valgrind ? State::kInside : State::kOther;
    if (is_valgrind) return that.sink_.on_format("valgrind-xml");
    XML_StopParser(that.parser_.get(), XML_FALSE);
  }
  static void on_end(void* self, const char* name) {
    auto& that = *static_cast<ValgrindDocument*>(self);
    if (that.state_ != State::kInside) return;
    if (--that.depth_ > 0) return that.reader_.end(name);
    that.state_ = State::kDone;
    XML_StopParser(that.parser_.get(), XML_FALSE);
  }
  static void on_text(void* self, const char* text, int size) {
    static_cast<ValgrindDocument*>(self)->reader_.text({text, static_cast<std::size_t>(size)});
  }

  ValgrindReader reader_;
  Sink& sink_;
  std::unique_ptr<XML_ParserStruct, ParserDeleter> parser_;
  State state_ = State::kProlog;
  int depth_ = 0;
};

}  // namespace

bool read_valgrind_xml(input::TextInput& text, std::string* taken, Sink& sink) {
  using State = ValgrindDocument::State;
  constexpr std::size_t kPrologBytesMax = std::size_t{64} << 10;
  ValgrindDocument document(sink);
  const std::uint64_t first_line = text.line();
  for (std::size_t bytes_before = 0;;) {
    const std::string_view piece = text.ahead();
    const bool is_xml = document.parse(piece);
    const State state = document.state();
    if (state == State::kOther || (state == State::kProlog && !is_xml)) {
      if (piece.empty()) sink.on_truncated();
      const std::size_t parsed = std::min(piece.size(), document.parsed_bytes() - bytes_before);
      taken->append(piece.substr(0, parsed));
      text.take(parsed);
      return false;
    }
    if (is_xml && !piece.empty()) {
      if (state == State::kProlog) taken->append(piece);
      if (taken->size() > kPrologBytesMax) {
        sink.on_damage("line " + std::to_string(first_line) + ": XML that begins without an end");
        text.take(piece.size());
        return false;
      }
      bytes_before += piece.size();
      text.take(piece.size());
      continue;
    }
    text.take(std::min(piece.size(), document.parsed_bytes() - bytes_before));
    if (state == State::kDone) {
      if (!document.is_finished()) sink.on_truncated();
      return true;
    }
    const std::string where = "line " + std::to_string(first_line + document.lines()) + ": ";
    if (piece.empty()) {
      sink.on_warning(where + "the XML ends early: " + document.error());
      sink.on_truncated();
    } else {
      sink.on_damage(where + "not valid XML: " + document.error());
    }
    return true;
  }
}

}  // namespace vigil::tools::evidence
