// SPDX-License-Identifier: Apache-2.0
//
// A server of lines for clients in other processes, as check_server.py is one: a thread accepts, a
// second one waits for readable connections in an epoll group, a third one's deadlines tick. The
// port is told on standard output; the line "end" ends it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "tests/races/require.h"

namespace {

std::atomic<bool> ended = false;
std::atomic<long> ticks = 0;

int listen_on_loopback() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  require(bind(listener, plain, size) == 0 && listen(listener, 16) == 0, "cannot listen");
  require(getsockname(listener, plain, &size) == 0, "no port");
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

void accept_all(int listener, int group) {
  for (;;) {
    const int connection = accept(listener, nullptr, nullptr);
    if (connection < 0) return;
    const int at_once = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = connection;
    require(epoll_ctl(group, EPOLL_CTL_ADD, connection, &event) == 0, "cannot watch");
  }
}

void answer(int connection) {
  char line[256];
  const ssize_t got = recv(connection, line, sizeof line, 0);
  if (got <= 0) {
    close(connection);
    return;
  }
  if (std::strncmp(line, "end\n", 4) == 0) ended = true;
  require(send(connection, line, static_cast<std::size_t>(got), 0) == got, "cannot answer");
}

void tick() {
  while (!ended) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++ticks;
  }
}

}  // namespace

int main() {
  const int listener = listen_on_loopback();
  const int group = epoll_create1(0);
  std::thread acceptor(accept_all, listener, group);
  std::thread clock(tick);
  while (!ended) {
    epoll_event event = {};
    if (epoll_wait(group, &event, 1, -1) == 1) answer(event.data.fd);
  }
  shutdown(listener, SHUT_RDWR);
  acceptor.join();
  clock.join();
}
