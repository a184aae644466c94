// SPDX-License-Identifier: Apache-2.0
//
// Durability: what outlives the process. Reads the data directory back into the cache, then logs
// every change of it, and lets snapshots take the place of old parts of the log.
//
// Life:
//
//   start()      without a data directory: kFull, and nothing is kept
//                else kLoading: a thread of its own recovers the cache; then the log observes it
//   serving      kFull; kBehind and kNoRoom come and go; kFailed stays
//   stop()       ends the recovery, or commits what was written and closes the log
//
// Requests: those that need the data wait for the end of kLoading (their clients do). A reply to a
// request that may have written leaves once tail(), asked behind it, is committed (commit_gate.h);
// how much "committed" means is the mode's (docs/durability.md). A read waits for nothing.
//
// Back-pressure: between half of options.durability.backlog_bytes_max and the whole a connection
// whose replies are held is not served (behind()), so a client that waits for its replies cannot
// add to it; above it writes are refused (kBehind). Neither stops reads.
//
// Thread safety: all members from any thread, except start() and stop(), which belong to the
// owner of the server.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "vigil/base/result.h"
#include "vigil/cache/cache.h"
#include "vigil/log/log.h"
#include "vigil/server/config/options.h"
#include "vigil/server/durability/data_directory.h"
#include "vigil/server/durability/snapshotter.h"

namespace vigil::server {

struct RecoveryStats {
  std::int64_t started_ms = 0;  // Unix; 0: nothing was recovered
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::uint64_t records = 0;
  double seconds = 0;  // so far, or of the whole
};

class Durability {
 public:
  // What requests the server can execute.
  enum class Service : std::uint8_t {
    kFull,
    kLoading,  // none that needs the data
    kBehind,   // none that writes, for a moment: the log waits for the disk
    kNoRoom,   // none that adds
    kFailed,   // none that writes, for good
  };

  // What is told, on threads of the log.
  struct Listener {
    // The cache is complete and everything is served; or why it is not.
    std::function<void(const Result<void>&)> recovered;
    std::function<void(log::Position)> committed;
    std::function<void()> failed;
    std::function<void(std::string_view line)> warning;
  };

  // Without a directory, or in the mode "off", nothing is kept.
  Durability(const ServerOptions& options, cache::Cache& cache,
             std::unique_ptr<DataDirectory> directory);
  ~Durability();
  Durability(const Durability&) = delete;
  Durability& operator=(const Durability&) = delete;

  void start(Listener listener);
  void stop();

  // --- Requests --------------------------------------------------------------------------------

  [[nodiscard]] bool loading() const { return loading_.load(std::memory_order_acquire); }
  [[nodiscard]] Service service() const;
  // What service() means, as a sentence for clients.
  [[nodiscard]] std::string sentence() const;
  // Why the log failed; empty if it did not.
  [[nodiscard]] std::string failure() const;
  // Behind everything that was written by now; 0 without a log.
  [[nodiscard]] log::Position tail() const {
    const log::Log* const log = log_.load(std::memory_order_acquire);
    return log == nullptr ? 0 : log->tail();
  }
  [[nodiscard]] bool behind() const {
    const log::Log* const log = log_.load(std::memory_order_acquire);
    return log != nullptr && log->tail() - log->committed() > backlog_bytes_soft_;
  }

  // --- Snapshots -------------------------------------------------------------------------------

  // Null without a log.
  [[nodiscard]] Snapshotter* snapshotter() const {
    return snapshotter_.load(std::memory_order_acquire);
  }

  // --- Statistics ------------------------------------------------------------------------------

  [[nodiscard]] bool keeps() const { return directory_ != nullptr; }
  [[nodiscard]] RecoveryStats recovery() const;
  // Null without a log.
  [[nodiscard]] const log::Log* log() const { return log_.load(std::memory_order_acquire); }

 private:
  class Commits;  // the log's listener

  void recover_and_serve();

  const ServerOptions& options_;
  cache::Cache& cache_;
  const std::uint64_t backlog_bytes_soft_;
  const std::unique_ptr<DataDirectory> directory_;
};

}  // namespace vigil::server
