// SPDX-License-Identifier: Apache-2.0
//
// XML of valgrind's helgrind and drd (--xml=yes). Only the elements that are named here are looked
// at; the text of an element arrives in pieces.
//
// Helgrind has both stacks of a race. Drd has one, and for the other thread the places where the
// segment of its execution began and ended: the innermost of these with an application frame stands
// for the other side, without an address, which makes the collision likely rather than certain.
#include <expat.h>

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

// Expat's callbacks.
void on_start(void* reader, const char* name, const char** /*attributes*/) {
  static_cast<ValgrindReader*>(reader)->start(name);
}
void on_end(void* reader, const char* name) { static_cast<ValgrindReader*>(reader)->end(name); }
void on_text(void* reader, const char* text, int size) {
  static_cast<ValgrindReader*>(reader)->text({text, static_cast<std::size_t>(size)});
}

struct ParserDeleter {
  void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

}  // namespace

Result<void> read_valgrind_xml(Input& input, Sink& sink) {
  const std::unique_ptr<XML_ParserStruct, ParserDeleter> parser(XML_ParserCreate(nullptr));
  ValgrindReader reader(sink);
  XML_SetUserData(parser.get(), &reader);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  sink.on_format("valgrind-xml");
  for (;;) {
    const std::string_view bytes = input.read();
    const XML_Status status =
        XML_Parse(parser.get(), bytes.data(), static_cast<int>(bytes.size()), bytes.empty());
    if (status != XML_STATUS_OK) {
      const XML_Error code = XML_GetErrorCode(parser.get());
      const std::string where = "line " + std::to_string(XML_GetCurrentLineNumber(parser.get())) +
                                ": " + XML_ErrorString(code);
      if (!bytes.empty()) return Error{"not valid XML, " + where};
      sink.on_warning("the XML ends early, " + where);
      sink.on_truncated();
      return {};
    }
    if (bytes.empty()) break;
  }
  if (!reader.is_finished()) sink.on_truncated();
  return {};
}

}  // namespace vigil::tools::evidence
