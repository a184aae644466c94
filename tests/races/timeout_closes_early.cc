// SPDX-License-Identifier: Apache-2.0
//
// A request waits for its answer with a deadline and gives its buffer away when the deadline comes
// first. The backend answers within milliseconds of a deadline of a minute: in real time the
// time-out never wins, and only a clock that may run ahead shows what happens when it does.
//
// EXPECT: race | use-after-free
// EXPECT-FRAME: answer
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;

struct Request {
  std::mutex mutex;
  std::condition_variable answered;
  bool done = false;
  int buffer = 0;
};

void answer(const std::shared_ptr<Request>& request, int* buffer) {
  std::this_thread::sleep_for(5ms);
  const std::lock_guard lock(request->mutex);
  *buffer = 200;
  request->done = true;
  request->answered.notify_one();
}

}  // namespace

int main() {
  auto request = std::make_shared<Request>();
  auto buffer = std::make_unique<int>(0);
#ifdef FIXED
  int* destination = &request->buffer;
#else
  int* destination = buffer.get();
#endif
  std::jthread backend(answer, request, destination);
  {
    std::unique_lock lock(request->mutex);
    request->answered.wait_for(lock, 1min, [&] { return request->done; });
  }
  buffer.reset();
}
