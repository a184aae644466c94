// SPDX-License-Identifier: Apache-2.0
//
// WorkerPool: threads with a short queue of tasks each, for work that is produced faster than it is
// done. Tasks of one worker run in the order in which they were posted.
//
// A task that fails says so once; what is queued behind a failure is dropped.
//
// Thread safety: post() and finish() by one thread.
//
//   WorkerPool pool(2);
//   pool.post(0, [block] { return load(block); });
//   if (Result<void> done = pool.finish(); !done) return done.error();
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "vigil/base/result.h"

namespace vigil::server {

class WorkerPool {
 public:
  using Task = std::function<Result<void>()>;
  static constexpr std::size_t kQueuedMax = 4;  // per worker; post() waits for room

  explicit WorkerPool(std::uint32_t workers);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(workers_.size()); }
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_relaxed); }

  void post(std::uint32_t worker, Task task);
  // Returns when all that was posted is done; the first error, if there was one.
  Result<void> finish();

 private:
  struct Worker {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Task> tasks;
    bool busy = false;
    bool ending = false;
    std::thread thread;
  };

  void run(Worker& worker);
  void note(const Result<void>& done);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<bool> failed_{false};
  std::mutex error_mutex_;
  Error error_;
};

}  // namespace vigil::server
