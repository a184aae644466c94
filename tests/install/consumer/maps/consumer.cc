// SPDX-License-Identifier: Apache-2.0
//
// Two threads share maps of the installed library; with a plug-in as argument, a map is shared with
// that as well. Says "consumer: ok".
#include <dlfcn.h>
#include <vigil/maps/rw_map.h>
#include <vigil/maps/sharded_map.h>

#include <cstdio>
#include <string>
#include <thread>

namespace {

using Texts = vigil::ShardedMap<std::string, std::string>;

constexpr int kRounds = 2'000;

std::string key(int n) { return "a key that does not lie in the table: " + std::to_string(n % 7); }

void use(Texts& texts, vigil::RwMap<int, int>& counts) {
  for (int n = 0; n < kRounds; ++n) {
    texts.insert_or_assign(key(n), "a value that lies elsewhere: " + std::to_string(n));
    const auto pin = texts.pin(key(n + 1));
    if (pin && pin->empty()) std::puts("an empty value");
    texts.with_keys({key(n), key(n + 2)}, [](auto& values) { values[0].swap(values[1]); });
    counts.upsert(
        n % 5, [] { return 1; }, [](int& count) { ++count; });
  }
}

bool share_with_plugin(const char* file) {
  void* const plugin = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return std::puts(dlerror()), false;
  auto* const replace = reinterpret_cast<void (*)(Texts*, int)>(dlsym(plugin, "replace_texts"));
  if (replace == nullptr) return false;
  Texts texts;
  texts.insert("shared", "first");
  std::thread other([&] { replace(&texts, kRounds); });
  bool whole = true;
  for (int n = 0; n < kRounds; ++n) {
    texts.visit("shared", [&](const std::string& text) { whole &= !text.empty(); });
  }
  other.join();
  return whole && texts.get("shared") == std::string(40, 'x');
}

}  // namespace

int main(int argc, char** argv) {
  Texts texts({.name = "texts"});
  vigil::RwMap<int, int> counts;
  std::thread other([&] { use(texts, counts); });
  use(texts, counts);
  other.join();
  int sum = 0;
  counts.for_each([&](int, int count) { sum += count; });
  if (sum != 2 * kRounds || texts.size() > 7) return 1;
  if (argc > 1 && !share_with_plugin(argv[1])) return 1;
  std::puts("consumer: ok");
  return 0;
}
