// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "vigil/base/check.h"

namespace vigil::server {

Mailbox::Mailbox() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  VIGIL_CHECK(event_.valid(), "the system has no eventfd left for a reactor");
}

void Mailbox::wake() noexcept {
  sleeping_.store(false, std::memory_order_seq_cst);
  const int saved = errno;
  const std::uint64_t one = 1;
  // A full counter is fine: the event is readable then.
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof(one));
  errno = saved;
}

void Mailbox::clear_event() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = ::read(event_.get(), &count, sizeof(count));
}

bool Mailbox::prepare_sleep() noexcept {
  sleeping_.store(true, std::memory_order_seq_cst);
  if (tasks_.empty()) return true;
  end_sleep();
  return false;
}

}  // namespace vigil::server
