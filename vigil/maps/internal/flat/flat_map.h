// SPDX-License-Identifier: Apache-2.0
//
// FlatMap: the vocabulary of the map family (concurrent_map.h) over a FlatTable, without any
// synchronisation. RwMap and CheckedMap put a guard around each operation (guarded_map.h),
// StripedMap locks one of many, SnapshotMap applies the writes to a copy.
//
// Operations on one key take the key, or its Probe where it has been hashed already.
//
// Thread safety: none; const members may run at once. References passed to callbacks end with the
// callback. Exceptions: what Hash, Equal, copies and callbacks throw, and std::bad_alloc; the
// operation then has not happened. For that, update() hands its callback a copy of the value and
// puts it back, unless the callback is noexcept or the value cannot be copied (in which case it
// keeps what the callback did to it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "vigil/maps/default_hash.h"
#include "vigil/maps/internal/flat/flat_several.h"
#include "vigil/maps/internal/flat/flat_table.h"
#include "vigil/maps/internal/requirements.h"
#include "vigil/maps/internal/visitor.h"
#include "vigil/maps/map_options.h"

namespace vigil::maps::internal {

template <class Key, class Value, class Hash = DefaultHash<Key>, class Equal = std::equal_to<Key>,
          class Allocator = std::allocator<std::pair<const Key, Value>>>
class FlatMap {
  static_assert(sizeof(MapRequirements<Key, Value, Hash, Equal>) != 0);
  using Table = FlatTable<Key, Value, Hash, Equal, Allocator>;
  using Slot = typename Table::Slot;

 public:
  using key_type = Key;
  using mapped_type = Value;
  using hasher = Hash;
  using key_equal = Equal;
  using allocator_type = Allocator;
  using lookup_type = typename Table::Lookup;
  using key_argument = std::remove_cvref_t<lookup_type>;
  using Keys = typename Table::Keys;
  using Probe = typename Table::Probe;

  // Whether keys, values and the allocator run no code that could use the map again.
  static constexpr bool kRunsNoUserCode =
      (std::is_scalar_v<Key> || std::is_same_v<Key, std::string>)&&(
          std::is_trivially_copyable_v<Value> ||
          std::is_same_v<Value, std::string>)&&std::is_same_v<Hash, DefaultHash<Key>> &&
      std::is_same_v<Equal, std::equal_to<Key>> &&
      std::is_same_v<Allocator, std::allocator<std::pair<const Key, Value>>>;

  explicit FlatMap(Hash hash = Hash(), Equal equal = Equal(), const Allocator& allocator = {})
      : table_(std::move(hash), std::move(equal), allocator) {}

  [[nodiscard]] Probe probe(lookup_type key) const { return table_.probe(key); }

  template <class Visitor>
  bool visit(lookup_type key, Visitor&& visitor) const {
    return visit(probe(key), visitor);
  }
  template <class Visitor>
  bool visit(const Probe& probe, Visitor&& visitor) const {
    const Slot* slot = table_.find(probe);
    if (slot == nullptr) return false;
    visitor(slot->value());
    return true;
  }
  [[nodiscard]] std::optional<Value> get(lookup_type key) const { return get(probe(key)); }
  [[nodiscard]] std::optional<Value> get(const Probe& probe) const {
    const Slot* slot = table_.find(probe);
    return slot == nullptr ? std::nullopt : std::optional<Value>(std::as_const(slot->value()));
  }
  [[nodiscard]] bool contains(lookup_type key) const { return contains(probe(key)); }
  [[nodiscard]] bool contains(const Probe& probe) const { return table_.find(probe) != nullptr; }

  template <class V>
  bool insert(lookup_type key, V&& value) {
    return insert(probe(key), std::forward<V>(value));
  }
  template <class V>
  bool insert(const Probe& probe, V&& value) {
    if (table_.find(probe) != nullptr) return false;
    table_.insert(probe, std::forward<V>(value));
    return true;
  }

  template <class V>
  bool insert_or_assign(lookup_type key, V&& value) {
    return insert_or_assign(probe(key), std::forward<V>(value));
  }
  template <class V>
  bool insert_or_assign(const Probe& probe, V&& value) {
    if (Slot* slot = table_.find(probe)) {
      table_.replace(*slot, Value(std::forward<V>(value)));
      return false;
    }
    table_.insert(probe, std::forward<V>(value));
    return true;
  }

  using GetOrInsertResult = vigil::GetOrInsertResult<Value>;
  GetOrInsertResult get_or_insert(lookup_type key, const Value& value) {
    return get_or_insert(probe(key), value);
  }
  GetOrInsertResult get_or_insert(const Probe& probe, const Value& value) {
    const Slot* slot = table_.find(probe);
    GetOrInsertResult result{slot != nullptr ? slot->value() : value, slot == nullptr};
    if (slot == nullptr) table_.insert(probe, value);
    return result;
  }

  // Makes the value only if there is no entry.
  template <class... Args>
  bool try_emplace(const Probe& probe, Args&&... args) {
    if (table_.find(probe) != nullptr) return false;
    table_.insert(probe, std::forward<Args>(args)...);
    return true;
  }
  template <class Make>
  GetOrInsertResult get_or_compute(const Probe& probe, Make&& make) {
    const Slot* slot = table_.find(probe);
    GetOrInsertResult result{slot != nullptr ? slot->value() : Value(make()), slot == nullptr};
    if (slot == nullptr) table_.insert(probe, result.value);
    return result;
  }
  template <class OnMissing, class OnPresent>
  bool upsert(const Probe& probe, OnMissing&& on_missing, OnPresent&& on_present) {
    if (update(probe, on_present)) return false;
    table_.insert(probe, Value(on_missing()));
    return true;
  }
  // Calls compute(std::optional<Value>&); nothing stands for no entry.
  template <class Compute>
  bool compute(const Probe& probe, Compute&& compute) {
    Slot* slot = table_.find(probe);
    std::optional<Value> value;
    if (slot == nullptr) {
      compute(value);
      if (value.has_value()) table_.insert(probe, std::move(*value));
    } else if constexpr (std::is_copy_constructible_v<Value>) {
      value.emplace(std::as_const(slot->value()));
      compute(value);
      value.has_value() ? table_.replace(*slot, std::move(*value)) : table_.erase(slot);
    } else {
      return compute_moved(slot, compute);
    }
    return value.has_value();
  }

  template <class V>
  std::optional<Value> exchange(lookup_type key, V&& value) {
    return exchange(probe(key), std::forward<V>(value));
  }
  template <class V>
  std::optional<Value> exchange(const Probe& probe, V&& value) {
    Slot* slot = table_.find(probe);
    if (slot == nullptr) {
      table_.insert(probe, std::forward<V>(value));
      return std::nullopt;
    }
    return table_.exchange(*slot, Value(std::forward<V>(value)));
  }

  template <class V>
  bool compare_exchange(lookup_type key, const Value& expected, V&& desired) {
    return compare_exchange(probe(key), expected, std::forward<V>(desired));
  }
  template <class V>
  bool compare_exchange(const Probe& probe, const Value& expected, V&& desired) {
    Slot* slot = table_.find(probe);
    if (slot == nullptr || !(std::as_const(slot->value()) == expected)) return false;
    table_.replace(*slot, Value(std::forward<V>(desired)));
    return true;
  }

  template <class Change>
  bool update(lookup_type key, Change&& change) {
    return update(probe(key), change);
  }
  template <class Change>
  bool update(const Probe& probe, Change&& change) {
    Slot* slot = table_.find(probe);
    if (slot == nullptr) return false;
    change_slot(*slot, change);
    return true;
  }

  template <class Predicate, class Change>
  bool update_if(const Probe& probe, Predicate&& predicate, Change&& change) {
    const Slot* slot = table_.find(probe);
    return slot != nullptr && predicate(slot->value()) && update(probe, change);
  }

  bool erase(lookup_type key) { return erase(probe(key)); }
  bool erase(const Probe& probe) {
    return erase_if(probe, [](const Value&) { return true; });
  }

  template <class Predicate>
  bool erase_if(lookup_type key, Predicate&& predicate) {
    return erase_if(probe(key), predicate);
  }
  template <class Predicate>
  bool erase_if(const Probe& probe, Predicate&& predicate) {
    Slot* slot = table_.find(probe);
    if (slot == nullptr || !predicate(std::as_const(slot->value()))) return false;
    table_.erase(slot);
    return true;
  }

  std::optional<Value> take(lookup_type key) { return take(probe(key)); }
  std::optional<Value> take(const Probe& probe) {
    std::optional<Value> taken;  // the only variable returned, so that nothing moves after erase()
    if (Slot* slot = table_.find(probe)) {
      taken.emplace(std::move(slot->value()));
      table_.erase(slot);
    }
    return taken;
  }

  // Calls visitor(lookup_type, const Value&) until it returns false.
  template <class Visitor>
  void for_each(Visitor&& visitor) const {
    table_.for_each_slot([&](const Slot& slot) {
      return visited_goes_on(visitor, Table::Keys::view(slot.key), slot.value());
    });
  }

  // Calls change(lookup_type, Value&) for every entry.
  template <class Change>
  std::uint64_t update_all(Change&& change) {
    table_.for_each_slot([&](Slot& slot) {
      change_slot(slot, [&](Value& value) { change(Table::Keys::view(slot.key), value); });
      return true;
    });
    return table_.size();
  }

  template <class Predicate>
  std::uint64_t erase_if(Predicate&& predicate) {
    std::uint64_t erased = 0;
    table_.for_each_slot([&](Slot& slot) {
      if (predicate(Table::Keys::view(slot.key), std::as_const(slot.value()))) {
        table_.erase(&slot);
        ++erased;
      }
      return true;
    });
    return erased;
  }

  // Calls visitor(lookup_type, const Value&) for each entry of the n-th of `parts` parts; whether
  // the visitor went on.
  template <class Visitor>
  bool for_each_of_part(std::uint64_t n, std::uint64_t parts, Visitor&& visitor) const {
    return table_.for_each_slot_of_part(n, parts, [&](const Slot& slot) {
      return visited_goes_on(visitor, Table::Keys::view(slot.key), slot.value());
    });
  }

  // Calls change(MapValues<Value>&) with the values of several keys; what it leaves there becomes
  // the entries.
  template <class Change>
  auto with_keys(std::span<const key_argument> keys, Change&& change) {
    return change_several(
        several_keys<Probe>(keys, table_.keys()),
        [this](const Probe&) -> FlatMap& { return *this; }, change);
  }
  // For change_several(): entries by their slots, which stay until one is added without room.
  using Entry = Slot*;
  [[nodiscard]] Entry find(const Probe& probe) { return table_.find(probe); }
  void make_room(std::size_t more) { table_.make_room(more); }
  Entry add(const Probe& probe, Value&& value) { return table_.insert(probe, std::move(value)); }
  void replace(Entry entry, Value&& value) noexcept(Table::Values::kReplaceIsNoexcept) {
    table_.replace(*entry, std::move(value));
  }
  void remove(Entry entry) noexcept { table_.erase(entry); }

  void clear() noexcept { table_.clear(); }
  void reserve(std::uint64_t entries) { table_.reserve(entries); }
  void shrink_to_fit() { table_.shrink_to_fit(); }

  [[nodiscard]] std::uint64_t size() const noexcept { return table_.size(); }
  [[nodiscard]] MapStats stats() const noexcept {
    return {table_.size(), table_.capacity(), table_.bytes()};
  }
  void check_invariants() const { table_.check_invariants(); }

 private:
  template <class Change>
  void change_slot(Slot& slot, Change&& change) {
    if constexpr (std::is_nothrow_invocable_v<Change&, Value&> ||
                  !std::is_copy_constructible_v<Value>) {
      change(slot.value());
    } else {
      Value changed(std::as_const(slot.value()));
      change(changed);
      table_.replace(slot, std::move(changed));
    }
  }

  // compute() of a value that cannot be copied: it is moved out, and back even if compute throws.
  template <class Compute>
  bool compute_moved(Slot* slot, Compute&& compute) {
    struct Borrowed {
      ~Borrowed() {
        if (value.has_value())
          Table::Values::replace(slot.stored, table.allocator(), std::move(*value));
      }
      Table& table;
      Slot& slot;
      std::optional<Value> value;
    };
    Borrowed borrowed{table_, *slot, std::move(slot->value())};
    compute(borrowed.value);
    const bool present = borrowed.value.has_value();
    if (!present) table_.erase(slot);
    return present;
  }

  Table table_;
};

}  // namespace vigil::maps::internal
