// SPDX-License-Identifier: Apache-2.0
//
// What one sample costs on the hot path: a per-reactor counter and histogram against
// prometheus-cpp's own, alone and with two threads.
#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>

#include <memory>

#include "vigil/base/random.h"
#include "vigil/server/reactor/counters.h"

namespace vigil::server {
namespace {

// Latencies from 100 ns to 100 us, so that the bucket is not predictable.
class Samples {
 public:
  Samples() {
    Random random(1);
    for (std::uint64_t& sample : samples_) sample = 100 << random.below(10);
  }
  std::uint64_t next() { return samples_[++at_ % samples_.size()]; }

 private:
  std::array<std::uint64_t, 1024> samples_{};
  std::size_t at_ = 0;
};

void BM_LoopAlone(benchmark::State& state) {
  Samples samples;
  for (auto _ : state) benchmark::DoNotOptimize(samples.next());
}
BENCHMARK(BM_LoopAlone);

void BM_ReactorCounter(benchmark::State& state) {
  const auto counters = std::make_unique<ReactorCounters>();
  Samples samples;
  for (auto _ : state) {
    counters->bytes_in.add(samples.next());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_ReactorCounter)->Threads(1)->Threads(2);

void BM_ReactorHistogram(benchmark::State& state) {
  const auto counters = std::make_unique<ReactorCounters>();
  Samples samples;
  for (auto _ : state) {
    counters->write_latency.record(samples.next());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_ReactorHistogram)->Threads(1)->Threads(2);

prometheus::Counter shared_counter;
void BM_PrometheusCounter(benchmark::State& state) {
  Samples samples;
  for (auto _ : state) shared_counter.Increment(static_cast<double>(samples.next()));
}
BENCHMARK(BM_PrometheusCounter)->Threads(1)->Threads(2);

prometheus::Histogram& shared_histogram() {
  static prometheus::Histogram histogram(
      {1e2, 2e2, 4e2, 8e2, 16e2, 32e2, 64e2, 128e2, 256e2, 512e2, 1024e2});
  return histogram;
}
void BM_PrometheusHistogram(benchmark::State& state) {
  Samples samples;
  for (auto _ : state) shared_histogram().Observe(static_cast<double>(samples.next()));
}
BENCHMARK(BM_PrometheusHistogram)->Threads(1)->Threads(2);

}  // namespace
}  // namespace vigil::server
