// SPDX-License-Identifier: Apache-2.0
//
// The seven layers of a service, and which of them a stack belongs to: HTTP handler, request
// context, middleware, application cache, third-party SDK, timer/cron, initialisation; the runtime
// and the standard library lie below them.
//
// Rules are a TOML file (default_layers.toml is built in and says how to write one). A rule names a
// layer and patterns for the function and the file of a frame; the first rule that matches a frame
// gives the frame's layer. Rules of the user come before the built-in ones.
//
// A whole stack is attributed in this order:
//   1. The innermost frame that is no library is the place.
//   2. A place in the request context, a middleware or a third-party SDK decides: the code that
//      touches the map is theirs, whoever called it.
//   3. Else the nearest frame outwards, and then in the stack that created the thread, that belongs
//      to an HTTP handler, middleware, SDK, timer/cron or initialisation: in its name the place
//      runs. A cache function called by a cron job is timer/cron.
//   4. Else the place's own layer: application cache, or just application.
//
// Thread safety: Rules are immutable after construction. Complexity: O(rules) per frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/report/report.h"

namespace vigil::tools::layers {

enum class Layer : std::uint8_t {
  kApplication,  // none of the others
  kHttpHandler,
  kRequestContext,
  kMiddleware,
  kApplicationCache,
  kThirdPartySdk,
  kTimerCron,
  kInitialisation,
  kRuntime,  // runtime and standard library
};

// "HTTP handler", "timer/cron", ...
std::string_view to_string(Layer layer);
std::optional<Layer> layer_from(std::string_view name);

// Patterns know * (any text) and ? (one character) and ignore the case of letters; they fit the
// whole name. A rule without patterns of one sort leaves that sort free.
struct Rule {
  Layer layer = Layer::kApplication;
  std::vector<std::string> functions;
  std::vector<std::string> files;
  bool library = false;  // the frame is never the place: look further out
  std::string origin;    // "defaults:12": file and line
};

struct Attribution {
  std::size_t place = 0;  // index of the innermost frame that is no library; 0 if all are
  bool has_place = false;
  Layer layer = Layer::kApplication;
  std::string entry;  // function that decided, if that is not the place
};

class Rules {
 public:
  // The text of a rules file; `name` is for messages. An unknown key or layer is an Error.
  static Result<Rules> parse(std::string_view toml, std::string_view name);
  static const Rules& defaults();
  // The rules of a file, then the defaults.
  static Result<Rules> with_defaults(const std::string& path);
  static std::string_view default_text();

  // The first rule that matches, or nullptr.
  [[nodiscard]] const Rule* match(const report::Frame& frame) const;
  [[nodiscard]] Layer layer_of(const report::Frame& frame) const;
  [[nodiscard]] bool is_library(const report::Frame& frame) const;
  [[nodiscard]] Attribution attribute(const report::Stack& stack,
                                      const report::Stack& created_at = {}) const;

  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }

 private:
  std::vector<Rule> rules_;
};

}  // namespace vigil::tools::layers
