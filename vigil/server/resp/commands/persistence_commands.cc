// SPDX-License-Identifier: Apache-2.0
//
// BGSAVE, SAVE, LASTSAVE and SHUTDOWN. A save is a snapshot, which makes a restart shorter and the
// log smaller; what was acknowledged is on disk without one.
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "vigil/server/reactor/output.h"
#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/persistence_info.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

namespace {

constexpr char kNothingKept[] =
    "ERR nothing is kept: vigild runs without --data-dir, or with --durability off";

// Null after replying that there is no log.
Snapshotter* snapshotter_of(Call& call) {
  Snapshotter* const snapshotter = call.shared().server.durability.snapshotter();
  if (snapshotter == nullptr) call.reply.error(kNothingKept);
  return snapshotter;
}

std::string reply_to_save(const Result<void>& written, int protocol) {
  Output output;
  RespWriter reply(output, protocol);
  written ? reply.ok() : reply.error("ERR " + written.error().message);
  return std::string(output.view());
}

// BGSAVE [SCHEDULE]
void bgsave(Call& call) {
  Arguments args(call.args);
  const bool schedule = args.flag("schedule");
  args.require(!args.more());
  if (!args.ok()) return call.reply.error(args.error());
  Snapshotter* const snapshotter = snapshotter_of(call);
  if (snapshotter == nullptr) return;
  if (snapshotter->begin()) return call.reply.simple("Background saving started");
  if (!schedule) return call.reply.error("ERR Background save already in progress");
  snapshotter->request([](const Result<void>&) {});
  call.reply.simple("Background saving scheduled");
}

// The reply comes when the snapshot is on disk; meanwhile other clients are served.
void save(Call& call) {
  Snapshotter* const snapshotter = snapshotter_of(call);
  if (snapshotter == nullptr) return;
  std::shared_ptr<ReplyTicket> ticket = call.session.defer_reply(call.reply.output());
  if (ticket == nullptr) return call.busy();
  snapshotter->request([ticket, protocol = call.reply.protocol()](const Result<void>& written) {
    ticket->complete(reply_to_save(written, protocol));
  });
}

void lastsave(Call& call) { call.reply.integer(last_save_ms(call.shared().server) / 1000); }

// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]. Nothing is lost either way. A client that is
// obeyed gets no reply: its connection closes.
void shutdown(Call& call) {
  Arguments args(call.args);
  bool save = false;
  bool nosave = false;
  bool force = false;
  bool abort = false;
  while (args.more()) {
    if (args.flag("save")) {
      save = true;
    } else if (args.flag("nosave")) {
      nosave = true;
    } else if (args.flag("force")) {
      force = true;
    } else if (args.flag("abort")) {
      abort = true;
    } else {
      args.require(args.flag("now"));
    }
  }
  args.require(!(save && nosave) && !(abort && call.args.size() > 1));
  if (!args.ok()) return call.reply.error(args.error());
  if (abort) return call.reply.error("ERR No shutdown in progress.");
  const std::function<void()>& stop = call.shared().server.stop_process;
  if (!stop) return call.reply.error("ERR Errors trying to SHUTDOWN. Check logs.");
  Snapshotter* const snapshotter = call.shared().server.durability.snapshotter();
  if (!save || snapshotter == nullptr) {
    call.session.close_after_reply();
    return stop();
  }
  std::shared_ptr<ReplyTicket> ticket = call.session.defer_reply(call.reply.output());
  if (ticket == nullptr) return call.busy();
  snapshotter->request(
      [ticket, force, &stop, protocol = call.reply.protocol()](const Result<void>& written) {
        ticket->complete(written || force ? std::string() : reply_to_save(written, protocol));
        if (written || force) stop();
      });
}

constexpr auto kFamily = CommandFamily::kServer;

constexpr std::array kCommands = {
    Command{.name = "bgsave",
            .arity = -1,
            .flags = Command::kAdmin,
            .family = kFamily,
            .handler = bgsave,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Begins a snapshot"},
    Command{.name = "save",
            .arity = 1,
            .flags = Command::kAdmin,
            .family = kFamily,
            .handler = save,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Writes a snapshot and replies when it is on disk"},
    Command{.name = "lastsave",
            .arity = 1,
            .flags = Command::kFast | Command::kLoading,
            .categories = Category::kAdmin | Category::kDangerous,
            .family = kFamily,
            .handler = lastsave,
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Returns when the last snapshot ended"},
    Command{.name = "shutdown",
            .arity = -1,
            .flags = Command::kAdmin | Command::kLoading,
            .family = kFamily,
            .handler = shutdown,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Stops the server in order"},
};

}  // namespace

std::span<const Command> persistence_commands() { return kCommands; }

}  // namespace vigil::server
