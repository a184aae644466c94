// SPDX-License-Identifier: Apache-2.0
//
// pprof's goroutine profile, debug=1: equal stacks are counted, frames of the runtime are addresses
// only, and neither states nor arguments are shown, so nothing can be said about collisions.
//
//   3 @ 0x4102ef 0x4b4ff2 0x4b56dd
//   # labels: {"job":"refresh", "role":"cron"}
//   #	0x4b4ff1	main.privateWrite+0xb1	/home/dev/svc/dump/main.go:33
#include <string>
#include <utility>

#include "vigil/tools/evidence/go_frame.h"
#include "vigil/tools/evidence/line_handler.h"
#include "vigil/tools/evidence/scanner.h"

namespace vigil::tools::evidence {

namespace {

class GoPprofReader : public LineHandler {
 public:
  explicit GoPprofReader(Sink& sink) : sink_(sink) {}

  void line(std::string_view text) override {
    if (text.starts_with("goroutine profile: total ")) {
      in_profile_ = true;
      sink_.on_format("go-pprof");
      return;
    }
    if (!in_profile_) return;
    Scanner scan(text);
    if (scan.accept("#")) return detail(scan);
    end_group();
    const std::optional<std::uint64_t> count = scan.number();
    if (count && scan.accept(" @ ")) count_ = *count;
  }

  void finish() override { end_group(); }

 private:
  void detail(Scanner scan) {
    if (count_ == 0) return;
    if (scan.accept(" labels: ")) {
      thread_.name = scan.rest();
      return;
    }
    scan.skip_spaces();
    const std::optional<std::uint64_t> address = scan.hex();
    scan.skip_spaces();
    const std::string_view function = scan.until("\t").value_or(scan.rest());
    if (!address || thread_.stack.size() == kFramesMax) return;
    report::Frame frame = go_frame(function.substr(0, function.rfind("+0x")));
    scan.skip_spaces();
    set_go_place(scan.rest(), &frame);
    frame.address = *address;
    thread_.stack.push_back(std::move(frame));
  }

  void end_group() {
    if (count_ > 0) sink_.on_thread(std::move(thread_), count_);
    thread_ = {};
    count_ = 0;
  }

  Sink& sink_;
  bool in_profile_ = false;
  std::uint64_t count_ = 0;
  report::Thread thread_;
};

}  // namespace

std::unique_ptr<LineHandler> make_go_pprof_reader(Sink& sink) {
  return std::make_unique<GoPprofReader>(sink);
}

}  // namespace vigil::tools::evidence
