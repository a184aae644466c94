// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/reply_queue.h"

#include <algorithm>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::server {

void ReplyQueue::hold_commit(std::size_t front, std::size_t first, CommitGate::Position commit) {
  VIGIL_CHECK(first <= holds_.size() && commit != 0, "a hold goes behind those of earlier replies");
  holds_.insert(holds_.begin() + static_cast<std::ptrdiff_t>(first),
                Hold{.at = taken_ + front, .commit = commit});
}

void ReplyQueue::hold_reply(std::size_t front, std::uint64_t ticket) {
  holds_.push_back(Hold{.at = taken_ + front, .ticket = ticket});
}

void ReplyQueue::answer(std::uint64_t ticket, std::optional<std::string> reply) {
  const auto hold = std::find_if(holds_.begin(), holds_.end(), [&](const Hold& candidate) {
    return candidate.commit == 0 && candidate.ticket == ticket;
  });
  VIGIL_CHECK(hold != holds_.end(), "a deferred reply without a place");
  hold->abandoned = !reply.has_value();
  hold->answer = std::move(reply);
  if (hold->answer) answer_bytes_ += hold->answer->size();
}

// Moves the answer of a hold that opens, behind what is in front of it.
void ReplyQueue::take_answer(Hold* hold) {
  if (hold->commit != 0) return;
  VIGIL_CHECK(hold->answer.has_value(), "a deferred reply is not answered yet");
  const std::size_t distance = distance_to(*hold);
  ready_.append(tail_.view().substr(0, distance));
  take_from_tail(distance);
  ready_.append(*hold->answer);
  answer_bytes_ -= hold->answer->size();
}

void ReplyQueue::sent(std::size_t bytes) {
  ready_.empty() ? take_from_tail(bytes) : ready_.consume(bytes);
}

void ReplyQueue::take_from_tail(std::size_t bytes) {
  tail_.consume(bytes);
  taken_ += bytes;
}

void ReplyQueue::shrink(std::size_t capacity_kept) {
  if (ready_.empty() && ready_.capacity() > 0) ready_.release();
  if (tail_.empty() && tail_.capacity() > capacity_kept) tail_.release();
}

}  // namespace vigil::server
