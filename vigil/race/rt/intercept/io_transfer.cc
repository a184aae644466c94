// SPDX-License-Identifier: Apache-2.0
//
// Reading from and writing to descriptors.
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::read)> real_read("read");
constinit Real<decltype(&::pread)> real_pread("pread");
constinit Real<decltype(&::readv)> real_readv("readv");
constinit Real<decltype(&::recv)> real_recv("recv");
constinit Real<decltype(&::recvfrom)> real_recvfrom("recvfrom");
constinit Real<decltype(&::recvmsg)> real_recvmsg("recvmsg");
constinit Real<int (*)(int, mmsghdr*, unsigned, int, timespec*)> real_recvmmsg("recvmmsg");
constinit Real<decltype(&::write)> real_write("write");
constinit Real<decltype(&::pwrite)> real_pwrite("pwrite");
constinit Real<decltype(&::writev)> real_writev("writev");
constinit Real<decltype(&::send)> real_send("send");
constinit Real<decltype(&::sendto)> real_sendto("sendto");
constinit Real<decltype(&::sendmsg)> real_sendmsg("sendmsg");

// A pipe that is ready takes so much without blocking.
constexpr std::size_t kPipePieceBytes = 4096;

template <class RealRead>
ssize_t read_from(int descriptor, int flags, const char* operation, Address pc, RealRead real) {
  if ((flags & MSG_DONTWAIT) == 0 && !wait_for_descriptor(descriptor, POLLIN, operation)) {
    return -1;
  }
  descriptor_used(descriptor, pc);
  ssize_t got = 0;
  {
    const SignalsAtOnce signals;
    got = real();
  }
  if (got >= 0) {
    descriptor_read(descriptor, pc);
    descriptors_changed();
  }
  return got;
}

template <class RealWrite>
ssize_t write_to(int descriptor, int flags, const char* operation, Address pc, RealWrite real) {
  if ((flags & MSG_DONTWAIT) == 0 && !wait_for_descriptor(descriptor, POLLOUT, operation)) {
    return -1;
  }
  descriptor_writing(descriptor, pc);
  ssize_t written = 0;
  {
    const SignalsAtOnce signals;
    written = real();
  }
  if (written >= 0) descriptors_changed();
  return written;
}

// Controlled: a blocking write of much into a pipe, in pieces that never block.
ssize_t write_pieces(int descriptor, const char* bytes, std::size_t size, Address pc) {
  std::size_t done = 0;
  while (done < size) {
    const std::size_t left = size - done;
    const std::size_t piece = left < kPipePieceBytes ? left : kPipePieceBytes;
    const ssize_t written = write_to(descriptor, 0, "write", pc,
                                     [&] { return real_write(descriptor, bytes + done, piece); });
    if (written < 0) return done != 0 ? static_cast<ssize_t>(done) : written;
    done += static_cast<std::size_t>(written);
    if (static_cast<std::size_t>(written) < piece) break;
  }
  return static_cast<ssize_t>(done);
}

void buffers_written(const iovec* buffers, std::size_t count, ssize_t size, Address pc) {
  for (std::size_t i = 0; i < count && size > 0; ++i) {
    const auto left = static_cast<std::size_t>(size);
    const std::size_t here = buffers[i].iov_len < left ? buffers[i].iov_len : left;
    write_range(buffers[i].iov_base, here, pc);
    size -= static_cast<ssize_t>(here);
  }
}

void buffers_read(const iovec* buffers, std::size_t count, Address pc) {
  for (std::size_t i = 0; i < count; ++i) read_range(buffers[i].iov_base, buffers[i].iov_len, pc);
}

ssize_t filled(void* bytes, ssize_t size, Address pc) {
  if (size > 0) write_range(bytes, static_cast<std::size_t>(size), pc);
  return size;
}

}  // namespace

// ---- reading

VIGIL_INTERCEPTOR ssize_t read(int descriptor, void* bytes, size_t size) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, 0, "read", VIGIL_CALLER_PC,
                                [&] { return real_read(descriptor, bytes, size); });
  return filled(bytes, got, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR ssize_t pread(int descriptor, void* bytes, size_t size, off_t offset) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, 0, "pread", VIGIL_CALLER_PC,
                                [&] { return real_pread(descriptor, bytes, size, offset); });
  return filled(bytes, got, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR ssize_t pread64(int descriptor, void* bytes, size_t size, off_t offset) {
  return pread(descriptor, bytes, size, offset);
}

VIGIL_INTERCEPTOR ssize_t readv(int descriptor, const iovec* buffers, int count) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, 0, "readv", VIGIL_CALLER_PC,
                                [&] { return real_readv(descriptor, buffers, count); });
  buffers_written(buffers, static_cast<std::size_t>(count), got, VIGIL_CALLER_PC);
  return got;
}

VIGIL_INTERCEPTOR ssize_t recv(int descriptor, void* bytes, size_t size, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, flags, "recv", VIGIL_CALLER_PC,
                                [&] { return real_recv(descriptor, bytes, size, flags); });
  return filled(bytes, got, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR ssize_t recvfrom(int descriptor, void* bytes, size_t size, int flags,
                                   sockaddr* address, socklen_t* address_size) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, flags, "recvfrom", VIGIL_CALLER_PC, [&] {
    return real_recvfrom(descriptor, bytes, size, flags, address, address_size);
  });
  return filled(bytes, got, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, flags, "recvmsg", VIGIL_CALLER_PC,
                                [&] { return real_recvmsg(descriptor, message, flags); });
  buffers_written(message->msg_iov, message->msg_iovlen, got, VIGIL_CALLER_PC);
  if (got >= 0) descriptors_received(message, VIGIL_CALLER_PC);
  return got;
}

VIGIL_INTERCEPTOR int recvmmsg(int descriptor, mmsghdr* messages, unsigned count, int flags,
                               timespec* timeout) {
  const FrameScope frame(VIGIL_CALLER_PC);
  const ssize_t got = read_from(descriptor, flags, "recvmmsg", VIGIL_CALLER_PC, [&] {
    return real_recvmmsg(descriptor, messages, count, flags, timeout);
  });
  for (ssize_t index = 0; index < got; ++index) {
    const msghdr& header = messages[index].msg_hdr;
    buffers_written(header.msg_iov, header.msg_iovlen, messages[index].msg_len, VIGIL_CALLER_PC);
    descriptors_received(&header, VIGIL_CALLER_PC);
  }
  return static_cast<int>(got);
}

// ---- writing

VIGIL_INTERCEPTOR ssize_t write(int descriptor, const void* bytes, size_t size) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(bytes, size, VIGIL_CALLER_PC);
  if (size > kPipePieceBytes && controlled() && is_internal(descriptor)) {
    return write_pieces(descriptor, static_cast<const char*>(bytes), size, VIGIL_CALLER_PC);
  }
  return write_to(descriptor, 0, "write", VIGIL_CALLER_PC,
                  [&] { return real_write(descriptor, bytes, size); });
}

VIGIL_INTERCEPTOR ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(bytes, size, VIGIL_CALLER_PC);
  return write_to(descriptor, 0, "pwrite", VIGIL_CALLER_PC,
                  [&] { return real_pwrite(descriptor, bytes, size, offset); });
}

VIGIL_INTERCEPTOR ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) {
  return pwrite(descriptor, bytes, size, offset);
}

VIGIL_INTERCEPTOR ssize_t writev(int descriptor, const iovec* buffers, int count) {
  const FrameScope frame(VIGIL_CALLER_PC);
  buffers_read(buffers, static_cast<std::size_t>(count), VIGIL_CALLER_PC);
  return write_to(descriptor, 0, "writev", VIGIL_CALLER_PC,
                  [&] { return real_writev(descriptor, buffers, count); });
}

VIGIL_INTERCEPTOR ssize_t send(int descriptor, const void* bytes, size_t size, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(bytes, size, VIGIL_CALLER_PC);
  return write_to(descriptor, flags, "send", VIGIL_CALLER_PC,
                  [&] { return real_send(descriptor, bytes, size, flags); });
}

VIGIL_INTERCEPTOR ssize_t sendto(int descriptor, const void* bytes, size_t size, int flags,
                                 const sockaddr* address, socklen_t address_size) {
  const FrameScope frame(VIGIL_CALLER_PC);
  read_range(bytes, size, VIGIL_CALLER_PC);
  return write_to(descriptor, flags, "sendto", VIGIL_CALLER_PC, [&] {
    return real_sendto(descriptor, bytes, size, flags, address, address_size);
  });
}

VIGIL_INTERCEPTOR ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  const FrameScope frame(VIGIL_CALLER_PC);
  buffers_read(message->msg_iov, message->msg_iovlen, VIGIL_CALLER_PC);
  return write_to(descriptor, flags, "sendmsg", VIGIL_CALLER_PC,
                  [&] { return real_sendmsg(descriptor, message, flags); });
}

}  // namespace vigil::race
