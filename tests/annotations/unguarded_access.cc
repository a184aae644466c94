// SPDX-License-Identifier: Apache-2.0
//
// Must not compile under clang's -Wthread-safety: read() touches a guarded member without the lock.
// With VIGIL_EXPECT_ACCEPTED it takes the lock and must compile.
#include "vigil/base/mutex.h"

namespace {

class Account {
 public:
  int read() {
#ifdef VIGIL_EXPECT_ACCEPTED
    const vigil::MutexLock lock(mutex_);
#endif
    return balance_;
  }

 private:
  vigil::Mutex mutex_;
  int balance_ VIGIL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

int main() { return Account().read(); }
