// SPDX-License-Identifier: Apache-2.0
//
// recover: fills a cache with what a data directory keeps: the newest snapshot, then the log from
// where that began.
//
// The snapshot's blocks are checked and loaded on several threads. The log is read and checked by
// one and applied by several, each to its shards, in the log's order. Memory beside the cache:
// some MiB and the largest records, whatever the size of the log.
//
// Records go to the shard that they name. If the number of shards or the hash is another than when
// they were written, they go where their key belongs now, and the remembered answer of an order
// with its order; that takes one thread, and longer.
//
// Everything is absolute, so neither time nor a second reading changes what is recovered.
//
// Errors: damage, a torn end above the limit, a memory limit below the data; each names the file
// or the number, and what to do. The cache is then not to be used.
//
// Thread safety: nobody else writes to the cache meanwhile (cache/restoration.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/cache/cache.h"
#include "vigil/log/directory.h"
#include "vigil/log/log_reader.h"

namespace vigil::server {

struct RecoveryOptions {
  log::LogIdentity identity;  // of the cache and the orders now
  std::uint64_t cut_bytes_max = log::kCutBytesMax;
  std::uint32_t threads = 2;
  const std::atomic<bool>* cancel = nullptr;  // set: nothing more is applied
};

// May be read while it changes.
struct RecoveryProgress {
  std::atomic<std::uint64_t> bytes_done{0};
  std::atomic<std::uint64_t> bytes_total{0};
  std::atomic<std::uint64_t> records{0};
};

struct Recovered {
  log::LogEnd end;
  log::Position snapshot_begin = 0;  // 0: there was no snapshot
  std::uint64_t snapshot_bytes = 0;
  std::int64_t snapshot_time_ms = 0;  // when it was begun, Unix
  std::vector<std::string> warnings;
};

[[nodiscard]] Result<Recovered> recover(const log::Directory& directory, cache::Cache& cache,
                                        const RecoveryOptions& options, RecoveryProgress* progress);

}  // namespace vigil::server
