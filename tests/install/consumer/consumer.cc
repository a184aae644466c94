// SPDX-License-Identifier: Apache-2.0
//
// Uses something of each installed module, so that headers, libraries and their own dependencies
// must all be found through find_package(vigil).
#include <vigil/base/clock.h>
#include <vigil/base/hash.h>
#include <vigil/cache/cache.h>
#include <vigil/maps/sharded_map.h>

#include <cstdio>
#include <string>

namespace {

bool hashes_are_stable() {
  const auto algorithm = vigil::parse_hash_algorithm("md5-8");
  return algorithm && vigil::stable_hash(*algorithm, "a") == 0x0cc175b9c0f1b6a8;
}

bool map_keeps_a_value() {
  vigil::ShardedMap<std::string, int> map;
  map.insert("order:1", 42);
  return map.get("order:1") == 42;
}

bool cache_keeps_a_value() {
  using namespace vigil::cache;
  const std::int64_t now_ms = vigil::unix_ms();
  Cache cache({});
  const Key key = cache.key("order:1");
  const WriteStatus status =
      cache.write(key, now_ms, [](Slot& slot) { slot.assign(Kind::kString, "paid", kNoDeadline); });
  std::string value;
  const bool found = cache.read(key, now_ms, [&](const EntryReader& entry) {
    value.resize(entry.value_size());
    entry.copy_value(value.data());
  });
  return status == WriteStatus::kApplied && found && value == "paid";
}

}  // namespace

int main() {
  if (!hashes_are_stable() || !map_keeps_a_value() || !cache_keeps_a_value()) return 1;
  std::puts("consumer: ok");
  return 0;
}
