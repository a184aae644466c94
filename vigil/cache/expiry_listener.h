// SPDX-License-Identifier: Apache-2.0
//
// ExpiryListener: calls a function with each visible entry that reached its deadline; a
// RemovalListener, which does so for any cause. A ShardObserver of one event; its rules about
// order, threads, callbacks and lifetime hold here.
//
//   ExpiryListener listener(cache, [](const RemovedEntry& entry) { announce(entry.key); });
//
// Thread safety: as ShardObserver (shard_observer.h).
#pragma once

#include <functional>
#include <utility>

#include "vigil/cache/cache.h"
#include "vigil/cache/shard_observer.h"

namespace vigil::cache {

class RemovalListener : public ShardObserver {
 public:
  using Call = std::function<void(const RemovedEntry&)>;

  // REQUIRES: as Cache::add_observer().
  RemovalListener(Cache& cache, RemovalCause cause, Call call)
      : cause_(cause), call_(std::move(call)) {
    cache.add_observer(*this, ObservedEvents::kRemovals);
  }

  void removed(const RemovedEntry& entry) noexcept override {
    if (entry.cause == cause_ && !entry.header.hidden()) call_(entry);
  }

 private:
  const RemovalCause cause_;
  const Call call_;
};

class ExpiryListener final : public RemovalListener {
 public:
  // REQUIRES: as Cache::add_observer().
  ExpiryListener(Cache& cache, Call call)
      : RemovalListener(cache, RemovalCause::kExpired, std::move(call)) {}
};

}  // namespace vigil::cache
