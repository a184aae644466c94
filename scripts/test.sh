#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, looks at the house rules that need no compiler, builds, and runs every
# test in one ctest run: unit, model, stress, fuzz regression, e2e, layers, style, format, tidy and
# install from the preset dev, and the unit, model, stress and fuzz regression tests again under
# AddressSanitizer and ThreadSanitizer, the latter through the `vigil gate` that was just built.
#
#   scripts/test.sh                         everything
#   scripts/test.sh -L unit                 options of ctest choose tests: by label,
#   scripts/test.sh -R sharded_map          by name; sanitizer tests start with asan. and tsan.
set -euo pipefail
cd "$(dirname "$0")/.."

presets=(dev asan tsan)

scripts/setup.sh
for preset in "${presets[@]}"; do
  cmake --preset "$preset" --log-level=WARNING -DVIGIL_GATE="$PWD/build/dev/vigil"
done
echo "test: the house rules that need no compiler"
ctest --preset dev -L early -j "$(nproc)" </dev/null
for preset in "${presets[@]}"; do
  echo "test: building $preset"
  cmake --build --preset "$preset"
done
echo "test: compiling every header on its own"
cmake --build --preset dev --target all_verify_interface_header_sets

# One ctest over the three build folders, so that the closing lines count every test.
mkdir -p build/test
printf 'subdirs("%s")\n' "${presets[@]/#/$PWD/build/}" >build/test/CTestTestfile.cmake
exec ctest --test-dir build/test --parallel 2 --output-on-failure --no-tests=error "$@" </dev/null
