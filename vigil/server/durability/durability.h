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
// Back-pressure: above half of options.durability.backlog_bytes_max a connection whose replies are
// held is not served (behind()), so who waits for replies cannot add to it; above the whole writes
// are refused (kBehind). Neither stops reads.
//
// Thread safety: all members from any thread, except start() and stop(), which belong to the
// owner of the server.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "vigil/base/result.h"
#include "vigil/cache/cache.h"
#include "vigil/log/log.h"
#include "vigil/server/config/options.h"
#include "vigil/server/durability/data_directory.h"
#include "vigil/server/durability/recovery.h"
#include "vigil/server/durability/snapshotter.h"

namespace vigil::server {

class Durability {
 public:
  // Which requests can be executed.
  enum class Service : std::uint8_t {
    kFull,     // all
    kLoading,  // none that needs the data
    kBehind,   // none that writes, for a moment: the log waits for the disk
    kNoRoom,   // none that adds
    kFailed,   // none that writes, for good
  };

  static constexpr std::size_t kServices = 5;

  // What is told, on threads of its own and of the log; one call at a time.
  struct Listener {
    // The cache is complete and everything is served; or why that cannot be.
    std::function<void(const Result<void>&)> recovered;
    std::function<void(log::Position)> committed;
    std::function<void()> failed;
    std::function<void(std::string_view)> note;     // a line for the operator
    std::function<void(std::string_view)> warning;  // one that calls for a look
  };

  struct RecoveryStats {
    std::int64_t started_ms = 0;  // Unix; 0: there was none
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;
    std::uint64_t records = 0;
    std::int64_t took_ms = 0;  // so far
  };

  // Without a directory, or in the mode "off", nothing is kept.
  Durability(const ServerOptions& options, cache::Cache& cache,
             std::unique_ptr<DataDirectory> directory);
  ~Durability();
  Durability(const Durability&) = delete;
  Durability& operator=(const Durability&) = delete;

  // REQUIRES: before the cache's first write.
  void start(Listener listener);
  // REQUIRES: behind the cache's last write. Idempotent.
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
    const log::Log* const log = serving_log();
    return log == nullptr ? 0 : log->tail();
  }
  // Asks for all that was written by now to be committed.
  void commit_soon() const {
    log::Log* const log = serving_log();
    if (log != nullptr && log->tail() != log->committed()) log->commit_soon();
  }
  [[nodiscard]] bool behind() const {
    const log::Log* const log = serving_log();
    return log != nullptr && log->tail() - log->committed() > options_.backlog_bytes_max / 2;
  }

  // --- Snapshots and statistics ----------------------------------------------------------------

  // Null while and where there is no log.
  [[nodiscard]] Snapshotter* snapshotter() const {
    return serving_log() == nullptr ? nullptr : snapshotter_.get();
  }
  [[nodiscard]] log::Log* serving_log() const {
    return serving_log_.load(std::memory_order_acquire);
  }
  // Whether what is written is kept.
  [[nodiscard]] bool keeps() const { return directory_ != nullptr && options_.mode != "off"; }
  [[nodiscard]] RecoveryStats recovery() const;

 private:
  class Commits;  // the log's listener

  [[nodiscard]] log::LogIdentity identity() const;
  [[nodiscard]] Result<void> recover_and_open();
  void run();
  void report(const Recovered& recovered) const;

  const DurabilityOptions& options_;
  const std::uint32_t threads_;
  const std::uint64_t transitions_hash_;
  cache::Cache& cache_;
  const std::unique_ptr<DataDirectory> directory_;
  Listener listener_;

  std::atomic<bool> loading_;
  std::atomic<bool> cancel_{false};
  RecoveryProgress progress_;
  std::atomic<std::int64_t> recovery_started_ms_{0};
  std::atomic<std::int64_t> recovery_took_ms_{0};  // 0: not at its end
  std::thread thread_;

  std::unique_ptr<Commits> commits_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<Snapshotter> snapshotter_;
  std::atomic<log::Log*> serving_log_{nullptr};  // release; what is above is set before it
};

// "ready", "loading", "behind", "no_room", "failed".
[[nodiscard]] std::string_view service_name(Durability::Service service);

}  // namespace vigil::server
