// SPDX-License-Identifier: Apache-2.0
//
// liburcu's lock-free hash table (Desnoyers et al.), read under RCU with sys_membarrier.
#include <atomic>
#include <bit>
#include <cstddef>
#include <new>
#include <utility>

// The library's own switch: inlines the read-side lock.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
#define _LGPL_SOURCE
#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/rculfhash.h>
#include <urcu/urcu-memb.h>

#include "vigil/base/check.h"
#include "vigil/maps/default_hash.h"
#include "vigil/tools/bench/maps/registry.h"

namespace vigil::tools {
namespace {

struct ReadLock {
  ReadLock() { urcu_memb_read_lock(); }
  ~ReadLock() { urcu_memb_read_unlock(); }
  ReadLock(const ReadLock&) = delete;
  ReadLock& operator=(const ReadLock&) = delete;
};

// A thread that measures reads and writes one map after another and registers once.
struct Registration {
  Registration() { urcu_memb_register_thread(); }
  ~Registration() { urcu_memb_unregister_thread(); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  static void ensure() { static thread_local const Registration registration; }
};

template <class Key>
class Urcu {
 public:
  struct ThreadScope {
    ThreadScope() { Registration::ensure(); }
  };

  Urcu() {
    Registration::ensure();
    table_ = cds_lfht_new_flavor(kBucketsMin, kBucketsMin, 0, 0, &urcu_memb_flavor, nullptr);
    VIGIL_CHECK(table_ != nullptr, "cds_lfht_new failed");
  }
  ~Urcu() {
    cds_lfht_iter iter;
    cds_lfht_node* node = nullptr;
    {
      const ReadLock lock;
      cds_lfht_for_each(table_, &iter, node) {
        if (cds_lfht_del(table_, node) == 0) retire(node);
      }
    }
    urcu_memb_barrier();
    cds_lfht_destroy(table_, nullptr);
  }
  Urcu(const Urcu&) = delete;
  Urcu& operator=(const Urcu&) = delete;

  bool read(const Key& key, BenchValue& value) {
    const ReadLock lock;
    cds_lfht_iter iter;
    cds_lfht_lookup(table_, hash_(key), matches, &key, &iter);
    const cds_lfht_node* node = cds_lfht_iter_get_node(&iter);
    if (node == nullptr) return false;
    value = entry_of(node)->value;
    return true;
  }
  void write(const Key& key, const BenchValue& value) {
    Registration::ensure();
    auto* entry = new Entry{{}, {}, key, value};
    {
      const ReadLock lock;
      cds_lfht_node* old = cds_lfht_add_replace(table_, hash_(key), matches, &key, &entry->node);
      if (old != nullptr) {
        retire(old);
        return;
      }
    }
    grow_if_full();
  }

 private:
  static constexpr unsigned long kBucketsMin = 64;

  // Not the library's automatic resizing: on a busy machine its worker of 0.13 sleeps on now and
  // then, and every operation walks a list without end.
  void grow_if_full() {
    const unsigned long entries = entries_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (entries >= kBucketsMin && std::has_single_bit(entries)) {
      cds_lfht_resize(table_, 2 * entries);
    }
  }

  struct Entry {
    cds_lfht_node node;  // first, so that its address is the entry's
    rcu_head head;
    Key key;
    BenchValue value;
  };

  static const Entry* entry_of(const cds_lfht_node* node) {
    return reinterpret_cast<const Entry*>(node);
  }
  static int matches(cds_lfht_node* node, const void* key) {
    return entry_of(node)->key == *static_cast<const Key*>(key) ? 1 : 0;
  }
  static void retire(cds_lfht_node* node) {
    urcu_memb_call_rcu(&reinterpret_cast<Entry*>(node)->head, [](rcu_head* head) {
      delete reinterpret_cast<Entry*>(reinterpret_cast<char*>(head) - sizeof(cds_lfht_node));
    });
  }

  DefaultHash<Key> hash_;
  cds_lfht* table_ = nullptr;
  std::atomic<unsigned long> entries_{0};
};

}  // namespace

// Left out under ThreadSanitizer: the packaged library is compiled without it, so that its grace
// periods and its own work queue look like races.
void add_urcu_maps([[maybe_unused]] Registry& registry) {
#if !defined(__SANITIZE_THREAD__)
  add_map<Urcu>(registry, "liburcu lfht", Role::kConcurrentMap);
#endif
}

}  // namespace vigil::tools
