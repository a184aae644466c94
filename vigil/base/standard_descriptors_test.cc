// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/standard_descriptors.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vigil {
namespace {

// In a child, whose exit code counts the numbers that are wrong.
int wrong_after_closing(unsigned closed) {
  const pid_t child = fork();
  if (child == 0) {
    for (int fd = 0; fd <= 2; ++fd) {
      if ((closed & 1U << fd) != 0) ::close(fd);
    }
    open_standard_descriptors();
    int wrong = 0;
    for (int fd = 0; fd <= 2; ++fd) {
      if (fcntl(fd, F_GETFD) < 0) ++wrong;
    }
    const int next = ::open("/dev/null", O_RDONLY);
    if (next <= 2) ++wrong;
    _exit(wrong);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardDescriptorsTest, AreOpenWhicheverWereClosed) {
  for (unsigned closed = 0; closed < 8; ++closed) {
    EXPECT_EQ(wrong_after_closing(closed), 0) << closed;
  }
}

}  // namespace
}  // namespace vigil
