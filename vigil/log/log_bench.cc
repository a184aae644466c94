// SPDX-License-Identifier: Apache-2.0
//
// What an append costs the thread that makes a change, and what a commit of 1, 50 or 3,200 SETs (16
// bytes of key, 100 of value) costs beside RocksDB's write-ahead log (WriteBatch, sync) and a plain
// append with fdatasync.
//
//   log_bench --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
//
// Files go to VIGIL_BENCH_DIR, or the folder for temporary files.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/base/check.h"
#include "vigil/base/spin_lock.h"
#include "vigil/log/append_buffer.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/log.h"
#include "vigil/log/log_reader.h"

#ifdef VIGIL_HAS_ROCKSDB
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#endif

namespace vigil::log {
namespace {

constexpr std::size_t kValueBytes = 100;

// A folder for one benchmark, removed at its end.
class BenchFolder {
 public:
  BenchFolder() {
    const char* const given = std::getenv("VIGIL_BENCH_DIR");
    const std::filesystem::path parent =
        given != nullptr ? std::filesystem::path(given) : std::filesystem::temp_directory_path();
    path_ = (parent / "vigil-log-bench-XXXXXX").string();
    VIGIL_CHECK(::mkdtemp(path_.data()) != nullptr, "the folder of the benchmark cannot be made");
  }
  ~BenchFolder() { std::filesystem::remove_all(path_); }
  BenchFolder(const BenchFolder&) = delete;
  BenchFolder& operator=(const BenchFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class NoListener final : public CommitListener {
 public:
  void committed(Position /*position*/) noexcept override {}
  void failed(std::string_view reason) noexcept override {
    std::fprintf(stderr, "the log failed: %.*s\n", static_cast<int>(reason.size()), reason.data());
    std::abort();
  }
};

// Keys of 16 bytes, in no order.
std::string key_of(std::uint64_t number) {
  std::string key = "order:0000000000";
  number = number * 2'654'435'761U % 1'000'000;
  for (std::size_t i = key.size(); number != 0; number /= 10) {
    key[--i] = static_cast<char>('0' + number % 10);
  }
  return key;
}

std::unique_ptr<Log> open_log(Directory& directory, SyncMode mode, CommitListener& listener) {
  const Result<LogEnd> end = read_log(directory, {}, {});
  VIGIL_CHECK(end, "the log of the benchmark cannot be read");
  LogOptions options;
  options.sync = mode;
  options.identity = {64, "xxh3", 0};
  Result<std::unique_ptr<Log>> log = Log::open(directory, *end, options, listener);
  VIGIL_CHECK(log, "the log of the benchmark cannot be opened");
  return std::move(*log);
}

// Of the calling thread: what others do on a busy machine does not count.
double thread_cpu_s() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr std::int64_t kAppends = 1024;

void BM_Checksum(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Checksum)->Arg(116)->Arg(4096)->Arg(1 << 20);

// The part under the shard's lock: the observer's call.
void BM_Append(benchmark::State& state) {
  static BenchFolder* folder;
  static std::unique_ptr<Directory> directory;
  static std::unique_ptr<Log> log;
  static NoListener listener;
  if (state.thread_index() == 0) {
    folder = new BenchFolder;
    directory = std::move(*Directory::open(folder->path()));
    log = open_log(*directory, SyncMode::kEverySecond, listener);
  }
  const std::string value(kValueBytes, 'v');
  const std::string key = key_of(7);
  cache::StoredEntry entry;
  entry.shard = 17;
  entry.key = key;
  entry.value = value;
  entry.header.version = 1'000'000;
  // What is measured is the call under the shard's lock. Waking the committer is paid once per
  // batch, outside of it; and a server does not let more gather than the spare chunks hold.
  for (auto _ : state) {
    const double begin_s = thread_cpu_s();
    for (std::int64_t i = 0; i < kAppends; ++i) log->stored(entry);
    state.SetIterationTime(thread_cpu_s() - begin_s);
    log->commit_soon();
    while (log->committed() < log->tail()) ::usleep(10);
  }
  state.SetItemsProcessed(state.iterations() * kAppends);
  if (state.thread_index() == 0) {
    log.reset();
    directory.reset();
    delete folder;
  }
}
BENCHMARK(BM_Append)->Threads(1)->Threads(2)->UseManualTime();

// One commit of so many records, synced, from the first append to committed().
void BM_VigilCommit(benchmark::State& state) {
  const BenchFolder folder;
  const std::unique_ptr<Directory> directory = std::move(*Directory::open(folder.path()));
  NoListener listener;
  const std::unique_ptr<Log> log = open_log(*directory, SyncMode::kAlways, listener);
  const std::string value(kValueBytes, 'v');
  std::uint64_t number = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      const std::string key = key_of(++number);
      Record record;
      record.shard = static_cast<std::uint32_t>(number % 64);
      record.version = number;
      record.key = key;
      record.value = value;
      log->append(record);
    }
    VIGIL_CHECK(log->wait_durable(log->tail()), "a commit failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  const LogStats stats = log->stats();
  state.counters["bytes_per_set"] =
      static_cast<double>(stats.written_bytes) / static_cast<double>(number);
}
BENCHMARK(BM_VigilCommit)->Arg(1)->Arg(50)->Arg(3200)->UseRealTime()->MinTime(1);

void BM_PlainAppend(benchmark::State& state) {
  const BenchFolder folder;
  const int file = ::open((folder.path() + "/plain").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const std::string value(kValueBytes, 'v');
  std::string batch;
  std::uint64_t number = 0;
  for (auto _ : state) {
    batch.clear();
    for (std::int64_t i = 0; i < state.range(0); ++i) batch.append(key_of(++number)).append(value);
    const ssize_t written = ::write(file, batch.data(), batch.size());
    VIGIL_CHECK(written == static_cast<ssize_t>(batch.size()) && ::fdatasync(file) == 0,
                "a write failed");
  }
  ::close(file);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_PlainAppend)->Arg(1)->Arg(50)->Arg(3200)->UseRealTime()->MinTime(1);

#ifdef VIGIL_HAS_ROCKSDB

// With segments recycled, which is the fastest that its write-ahead log has.
void BM_RocksDbCommit(benchmark::State& state) {
  const BenchFolder folder;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.recycle_log_file_num = 2;
  options.write_buffer_size = std::size_t{64} << 20;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, folder.path(), &opened);
  VIGIL_CHECK(status.ok(), "RocksDB cannot be opened");
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions sync;
  sync.sync = true;
  const std::string value(kValueBytes, 'v');
  std::uint64_t number = 0;
  for (auto _ : state) {
    rocksdb::WriteBatch batch;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      VIGIL_CHECK(batch.Put(key_of(++number), value).ok(), "a put failed");
    }
    VIGIL_CHECK(db->Write(sync, &batch).ok(), "a commit failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_RocksDbCommit)->Arg(1)->Arg(50)->Arg(3200)->UseRealTime()->MinTime(1);

#endif

// Reading back: records a second of one thread.
void BM_ReadLog(benchmark::State& state) {
  const BenchFolder folder;
  const std::unique_ptr<Directory> directory = std::move(*Directory::open(folder.path()));
  NoListener listener;
  {
    const std::unique_ptr<Log> log = open_log(*directory, SyncMode::kEverySecond, listener);
    const std::string value(kValueBytes, 'v');
    for (std::uint64_t i = 0; i < 1'000'000; ++i) {
      const std::string key = key_of(i);
      Record record;
      record.version = i;
      record.key = key;
      record.value = value;
      log->append(record);
      if (i % 1024 == 0) log->commit_soon();
    }
  }
  std::int64_t records = 0;
  for (auto _ : state) {
    const Result<LogEnd> end = read_log(*directory, {}, [&](const LoggedRecord&) { ++records; });
    VIGIL_CHECK(end, "the log cannot be read");
  }
  state.SetItemsProcessed(records);
}
BENCHMARK(BM_ReadLog)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vigil::log
