// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/poller.h"

#include "vigil/base/check.h"

namespace vigil::server {

namespace {

epoll_event event_of(std::uint32_t events, void* source) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = source;
  return event;
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  VIGIL_CHECK(epoll_.valid(), "the system has no epoll instance left for a reactor");
}

bool Poller::add(int fd, std::uint32_t events, void* source) {
  epoll_event event = event_of(events, source);
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::change(int fd, std::uint32_t events, void* source) {
  epoll_event event = event_of(events, source);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  const int ready =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(kEventsMax), timeout_ms);
  return {events_.data(), static_cast<std::size_t>(ready > 0 ? ready : 0)};
}

}  // namespace vigil::server
