// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "vigil/base/check.h"
#include "vigil/tools/bench/maps/measure.h"

namespace vigil::tools {
namespace {

constexpr std::uint64_t kSizes = 8;

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Bytes per entry, as the mean over the octave. Runs in a process of its own.
template <class Key>
double mean_over_octave(const MapEntry& entry, const KeySet<Key>& keys, std::uint64_t begin) {
  malloc_trim(0);
  const std::uint64_t before = resident_bytes();
  const std::unique_ptr<Contender<Key>> map = entry.make<Key>();
  double sum = 0;
  std::uint64_t n = 0;
  for (std::uint64_t step = 0; step < kSizes; ++step) {
    const std::uint64_t size = begin + begin * step / (kSizes - 1);
    for (; n < size; ++n) map->write(keys.key(n), BenchValue{n, n});
    sum += static_cast<double>(resident_bytes() - before) / static_cast<double>(size);
  }
  return sum / kSizes;
}

template <class Measure>
double in_child(Measure&& measure) {
  int ends[2];
  VIGIL_CHECK(pipe(ends) == 0, "no pipe to a child process");
  const pid_t child = fork();
  VIGIL_CHECK(child >= 0, "no child process");
  if (child == 0) {
    const double result = measure();
    const bool told = write(ends[1], &result, sizeof(result)) == sizeof(result);
    _exit(told ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  close(ends[1]);
  double result = 0;
  const ssize_t bytes = read(ends[0], &result, sizeof(result));
  close(ends[0]);
  waitpid(child, nullptr, 0);
  VIGIL_CHECK(bytes == sizeof(result), "the child process that measured memory ended early");
  return result;
}

template <class Key>
void measure_key(const MemoryPlan& plan, const MapEntry& entry, std::size_t key_bytes,
                 MapsResults& results) {
  const KeySet<Key> keys(key_bytes);
  const double bytes = in_child([&] { return mean_over_octave(entry, keys, plan.octave_begin); });
  results.memory.push_back({entry.name, keys.name(), bytes});
}

}  // namespace

void measure_memory(const MemoryPlan& plan, const Registry& maps, const Progress& progress,
                    MapsResults& results) {
  double done = 0;
  for (const MapEntry& entry : maps) {
    progress("memory of " + entry.name, done++ / static_cast<double>(maps.size()));
    if (entry.reads_only) continue;
    measure_key<std::uint64_t>(plan, entry, sizeof(std::uint64_t), results);
    measure_key<std::string>(plan, entry, 16, results);
  }
}

}  // namespace vigil::tools
