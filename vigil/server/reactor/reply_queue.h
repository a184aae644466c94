// SPDX-License-Identifier: Apache-2.0
//
// ReplyQueue: what one connection is about to send, in its order. Bytes in front of the first
// *hold* may leave; a hold keeps everything behind it back.
//
//   ready: bytes | tail: bytes, hold, bytes, hold, bytes <- appended here
//
// There are two kinds of hold: for a commit (the bytes behind it answer writes that are not
// committed yet), and for a deferred reply (a place for bytes that come later). Holds open strictly
// from the front; an answer that comes early waits in its hold.
//
// Cost: without holds a few comparisons more than an Output. Opening a commit hold copies nothing;
// opening a deferred reply copies it and the bytes in front of it that were not sent yet.
//
// Invariants: the holds' positions do not decrease; `ready` has bytes only in front of all of them.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/reactor/commit_gate.h"
#include "vigil/server/reactor/output.h"

namespace vigil::server {

class ReplyQueue {
 public:
  // What keeps the rest back: a commit, if its position is not 0, else a deferred reply.
  struct Hold {
    std::uint64_t at;  // bytes of the tail in front of it, counted from the connection's start
    CommitGate::Position commit = 0;
    std::uint64_t ticket = 0;
    std::optional<std::string> answer = std::nullopt;
    bool abandoned = false;
  };

  [[nodiscard]] bool empty() const { return holds_.empty() && tail_.empty() && ready_.empty(); }
  // Bytes that are kept here, answers that wait included.
  [[nodiscard]] std::size_t size() const { return ready_.size() + tail_.size() + answer_bytes_; }
  // Memory of the buffers, used or not.
  [[nodiscard]] std::size_t capacity() const {
    return ready_.capacity() + tail_.capacity() + answer_bytes_ + holds_.capacity() * sizeof(Hold);
  }
  [[nodiscard]] std::size_t hold_count() const { return holds_.size(); }
  [[nodiscard]] bool held() const { return !holds_.empty(); }

  // --- Appending -------------------------------------------------------------------------------

  [[nodiscard]] Output& tail() { return tail_; }

  // Keeps back what was or will be appended behind the first `front` bytes of the tail, and the
  // holds from index `first` on.
  void hold_commit(std::size_t front, std::size_t first, CommitGate::Position commit);
  // Leaves a place behind the first `front` bytes of the tail, which are all there are.
  void hold_reply(std::size_t front, std::uint64_t ticket);
  // Fills the place of `ticket`, or marks it as abandoned. REQUIRES: the place is there.
  void answer(std::uint64_t ticket, std::optional<std::string> reply);

  // --- Opening ---------------------------------------------------------------------------------

  // Opens holds from the front for as long as may_open(hold). REQUIRES: a deferred reply that is
  // opened was answered.
  template <class Predicate>
  void open(Predicate may_open) {
    std::size_t opened = 0;
    while (opened < holds_.size() && may_open(holds_[opened])) take_answer(&holds_[opened++]);
    holds_.erase(holds_.begin(), holds_.begin() + static_cast<std::ptrdiff_t>(opened));
  }
  // REQUIRES: held().
  [[nodiscard]] const Hold& front() const { return holds_.front(); }
  // Drops the holds from index `first` on, and every byte of the tail behind the first of them.
  // Calls visit(ticket) for each deferred reply.
  template <class Visitor>
  void drop_held(std::size_t first, Visitor visit) {
    if (first == holds_.size()) return;
    tail_.truncate(std::min(tail_.size(), distance_to(holds_[first])));
    for (std::size_t i = first; i < holds_.size(); ++i) {
      const Hold& hold = holds_[i];
      if (hold.answer) answer_bytes_ -= hold.answer->size();
      if (hold.commit == 0) visit(hold.ticket);
    }
    holds_.resize(first);
  }

  // --- Sending ---------------------------------------------------------------------------------

  // The bytes to send next; empty if nothing may leave.
  [[nodiscard]] std::string_view sendable() const {
    if (!ready_.empty()) [[unlikely]]
      return ready_.view();
    const std::string_view bytes = tail_.view();
    return held() ? bytes.substr(0, distance_to(holds_.front())) : bytes;
  }
  // REQUIRES: bytes <= sendable().size().
  void sent(std::size_t bytes);
  // Gives memory back after large replies.
  void shrink(std::size_t capacity_kept);

 private:
  // Bytes of the tail in front of the hold.
  [[nodiscard]] std::size_t distance_to(const Hold& hold) const {
    return static_cast<std::size_t>(hold.at - taken_);
  }
  void take_answer(Hold* hold);
  void take_from_tail(std::size_t bytes);

  Output ready_;
  Output tail_;
  std::vector<Hold> holds_;
  std::uint64_t taken_ = 0;       // from the front of the tail, since the connection's start
  std::size_t answer_bytes_ = 0;  // in holds_
};

}  // namespace vigil::server
