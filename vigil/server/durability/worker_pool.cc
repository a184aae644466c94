// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/durability/worker_pool.h"

#include <pthread.h>

#include <exception>
#include <string>
#include <utility>

namespace vigil::server {

WorkerPool::WorkerPool(std::uint32_t workers) {
  for (std::uint32_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.thread = std::thread([this, &worker] { run(worker); });
    pthread_setname_np(worker.thread.native_handle(), ("recovery-" + std::to_string(i)).c_str());
  }
}

WorkerPool::~WorkerPool() {
  for (const auto& worker : workers_) {
    {
      const std::scoped_lock lock(worker->mutex);
      worker->ending = true;
    }
    worker->changed.notify_all();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

void WorkerPool::post(std::uint32_t worker, Task task) {
  Worker& to = *workers_[worker];
  std::unique_lock lock(to.mutex);
  to.changed.wait(lock, [&] { return to.tasks.size() < kQueuedMax; });
  to.tasks.push_back(std::move(task));
  to.changed.notify_all();
}

Result<void> WorkerPool::finish() {
  for (const auto& worker : workers_) {
    std::unique_lock lock(worker->mutex);
    worker->changed.wait(lock, [&] { return worker->tasks.empty() && !worker->busy; });
  }
  if (!failed()) return {};
  const std::scoped_lock lock(error_mutex_);
  return error_;
}

void WorkerPool::run(Worker& worker) {
  std::unique_lock lock(worker.mutex);
  for (;;) {
    worker.changed.wait(lock, [&] { return worker.ending || !worker.tasks.empty(); });
    if (worker.tasks.empty()) return;
    const Task task = std::move(worker.tasks.front());
    worker.tasks.pop_front();
    worker.busy = true;
    worker.changed.notify_all();
    lock.unlock();
    if (!failed()) {
      try {
        note(task());
      } catch (const std::exception& error) {
        note(Error{error.what()});
      }
    }
    lock.lock();
    worker.busy = false;
    worker.changed.notify_all();
  }
}

void WorkerPool::note(const Result<void>& done) {
  if (done) return;
  const std::scoped_lock lock(error_mutex_);
  if (!failed_.exchange(true)) error_ = done.error();
}

}  // namespace vigil::server
