#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fetches ThreadSanitizer's own tests (compiler-rt/test/tsan of Debian's source package
# llvm-toolchain-19) and prints the folder they are in:
#
#   scripts/tsan_tests.sh [FOLDER]        default: build/tsan-tests
#
# Source packages are enabled only for the time of the download (needs root for that).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-"$root/build/tsan-tests"}
package=llvm-toolchain-19
list=/etc/apt/sources.list.d/vigil-tsan-tests

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
tests=$(find "$folder" -type d -path '*/compiler-rt/test/tsan' | head -n 1)
if [ -n "$tests" ]; then
  echo "$tests"
  exit 0
fi

# The sources that the machine already uses, once more for source packages.
enable_sources() {
  trap 'rm -f "$list.list" "$list.sources"' EXIT
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -f "$file" ]; then sed -n 's/^deb /deb-src /p' "$file"; fi
  done > "$list.list"
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ] && [ "$file" != "$list.sources" ]; then
      sed 's/^Types:.*/Types: deb-src/' "$file"
      echo
    fi
  done > "$list.sources"
  apt-get update -qq >&2
}

cd "$folder"
if ! apt-get source --download-only -qq "$package" >&2; then
  enable_sources
  apt-get source --download-only -qq "$package" >&2
fi

# Two folders of a very large archive: the tests, and a header that they include.
tar -xJf "$package"_*.orig.tar.xz --wildcards '*/compiler-rt/test/tsan/*' \
  '*/compiler-rt/test/sanitizer_common/print_address.h'
find "$folder" -type d -path '*/compiler-rt/test/tsan' | head -n 1
