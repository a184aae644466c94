// SPDX-License-Identifier: Apache-2.0
//
// The functions that interceptors stand in front of:
//
//   constinit Real<decltype(&::pthread_join)> real_pthread_join("pthread_join");
//   ... real_pthread_join(thread, result)
//
// Found by the dynamic linker at the first call. Functions with several versions need theirs named,
// or the linker gives the oldest.
//
// Context: interceptor, init. Thread safety: all (finding twice gives the same).
#pragma once

namespace vigil::race {

// Of `version` (null: the default one); in `library`, if that is given and was not loaded because
// the runtime has functions of all the names that the program needs of it. Ends the process with a
// sentence if there is no such function.
void* find_real_function(const char* name, const char* version, const char* library = nullptr);

// What glibc's declarations say besides the type does not matter to Real<>.
#pragma GCC diagnostic ignored "-Wignored-attributes"

template <class Function>
class Real {
 public:
  explicit constexpr Real(const char* name, const char* version = nullptr,
                          const char* library = nullptr)
      : name_(name), version_(version), library_(library) {}

  Function get() {
    Function found = __atomic_load_n(&function_, __ATOMIC_RELAXED);
    if (__builtin_expect(found == nullptr, 0)) {
      found = reinterpret_cast<Function>(find_real_function(name_, version_, library_));
      __atomic_store_n(&function_, found, __ATOMIC_RELAXED);
    }
    return found;
  }

  template <class... Arguments>
  auto operator()(Arguments... arguments) {
    return get()(arguments...);
  }

 private:
  const char* name_;
  const char* version_;
  const char* library_;
  Function function_ = nullptr;
};

}  // namespace vigil::race
