// SPDX-License-Identifier: Apache-2.0
//
// Text of unknown origin (a path, a name of a function or thread, a line of a log) made such that a
// reader sees all of it and nothing obeys it: valid UTF-8 without hidden characters. Those are the
// control characters (C0, DEL, C1: what terminals obey), what changes the direction of the text
// around it, the separators of lines and paragraphs, tags and other invisible marks, and the
// non-characters, which XML cannot hold.
//
// Use when: anything from an input goes to a terminal, the log of a CI service, Markdown, XML or
// SARIF; each of them escapes what is special to it besides. visible_json() for JSON, which loses
// nothing.
//
// Thread safety: pure functions. Complexity: linear. Exceptions: only bad_alloc of the string.
#pragma once

#include <string>
#include <string_view>

namespace vigil::text {

[[nodiscard]] bool is_hidden(char32_t character);

// One line: `?` for each hidden character, a line break too; U+FFFD for each byte that is no part
// of a character.
[[nodiscard]] std::string visible_text(std::string_view bytes);

// The same, but line feeds and tabs stay.
[[nodiscard]] std::string visible_lines(std::string_view bytes);

// The same document with \uXXXX for the hidden characters in its strings. REQUIRES: `json` is JSON
// in UTF-8, as JsonWriter makes it.
[[nodiscard]] std::string visible_json(std::string_view json);

}  // namespace vigil::text
