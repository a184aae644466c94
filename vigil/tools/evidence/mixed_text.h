// SPDX-License-Identifier: Apache-2.0
//
// MixedText: a text in which documents (JSON, XML) may stand between the lines of logs. A document
// begins with a line of the text, or where another one ended; what only looks like one is text.
//
//   input::TextInput text(part.content);
//   MixedText(text, "", {}, sink).read();
//
// Thread safety: none. Memory: one document of kDocumentBytesMax; lines of logs stream.
// Errors: a document that is damaged, one that no reader knows and that is all there is, and what
// is none in spite of `format` go to Sink::on_damage; the rest is read.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/tools/evidence/json_scan.h"
#include "vigil/tools/evidence/log_reader.h"
#include "vigil/tools/evidence/sink.h"
#include "vigil/tools/input/text_input.h"

namespace vigil::tools::evidence {

using SarifReader = std::function<Result<void>(const std::string& text)>;

class MixedText {
 public:
  // `format`: the only one to be read; empty: all. `read_sarif` may be empty. All of them outlive
  // the object.
  MixedText(input::TextInput& text, std::string_view format, const SarifReader& read_sarif,
            Sink& sink);

  // REQUIRES: called once.
  void read();

 private:
  void read_documents_only();
  void read_everything();
  // Whether something was taken off the text, as a document or as what only looked like one.
  [[nodiscard]] bool read_document();
  [[nodiscard]] bool is_line_of_other_json();
  void read_json();
  void read_xml();
  void read_known(const JsonScan& scan, const std::string& where);
  void take_lines();
  void skip_blanks();
  void feed(std::string_view bytes);
  void end_document();
  [[nodiscard]] bool is_at_beginning() const { return !has_text_ && !has_documents_; }
  [[nodiscard]] std::string line_text() const;

  input::TextInput& text_;
  const std::string_view format_;
  const SarifReader& read_sarif_;
  Sink& sink_;
  LogReader log_;
  bool is_at_line_begin_ = true;
  bool has_text_ = false;       // besides known documents
  bool has_documents_ = false;  // known ones
  // Damage, unless a reader finds something after all: a beginning that is a document's, but of no
  // known one; and one that is all there is, so far.
  std::optional<std::string> strange_beginning_;
  std::optional<std::string> strange_document_;
};

}  // namespace vigil::tools::evidence
