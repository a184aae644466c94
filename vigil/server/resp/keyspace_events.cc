// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/keyspace_events.h"

namespace vigil::server {

namespace {

// The letter at position i stands for bit i; 'A' is all from 'g' to 'd'.
constexpr std::string_view kLetters = "KEg$lshzxetdnm";
constexpr KeyspaceEvents::Classes kAll = 0b00'1111'1111'1100;  // g $ l s h z x e t d
// The order in which Redis prints them.
constexpr std::string_view kPrinted = "g$lshzxetdn";
constexpr std::string_view kPrintedLast = "KEm";

KeyspaceEvents::Classes bit_of(char letter) {
  return KeyspaceEvents::Classes{1} << kLetters.find(letter);
}

}  // namespace

std::optional<KeyspaceEvents::Classes> KeyspaceEvents::parse(std::string_view letters) {
  Classes classes = 0;
  for (const char letter : letters) {
    if (letter == 'A') {
      classes |= kAll;
    } else if (kLetters.find(letter) != std::string_view::npos) {
      classes |= bit_of(letter);
    } else {
      return std::nullopt;
    }
  }
  return classes;
}

std::string KeyspaceEvents::format(Classes classes) {
  std::string letters;
  if ((classes & kAll) == kAll) {
    letters += 'A';
  } else {
    for (const char letter : kPrinted) {
      if ((classes & bit_of(letter)) != 0) letters += letter;
    }
  }
  for (const char letter : kPrintedLast) {
    if ((classes & bit_of(letter)) != 0) letters += letter;
  }
  return letters;
}

}  // namespace vigil::server
