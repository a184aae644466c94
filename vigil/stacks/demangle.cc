// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/demangle.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace vigil::stacks {

std::string demangled(std::string_view linkage_name) {
  std::string name(linkage_name);
  if (!name.starts_with("_Z")) return name;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, nullptr), &std::free);
  return text == nullptr ? name : std::string(text.get());
}

}  // namespace vigil::stacks
