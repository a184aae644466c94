#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the preset fuzz and lets each fuzz target look for inputs that break it.
#
#   tests/fuzz/run.sh                         200,000 executions of every target
#   tests/fuzz/run.sh 5000000                 more of them
#   tests/fuzz/run.sh 1000000 http_session_fuzz
#
# Starts from corpus/TARGET; what it learns stays in build/fuzz/corpus/TARGET. Prints the executions
# of each target and ends with 1 if one was broken: the input is then in build/fuzz/findings/, and
# belongs into corpus/TARGET together with the fix. FUZZ_SEED=<n> replays a run.
set -euo pipefail
cd "$(dirname "$0")/../.."

executions=${1:-200000}
if ! [[ $executions =~ ^[1-9][0-9]*$ ]]; then
  echo "run.sh: '$executions' is not a number of executions" >&2
  exit 2
fi
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}

targets=("${@:2}")
if [[ ${#targets[@]} -eq 0 ]]; then
  mapfile -t targets < <(find vigil -name '*_fuzz.cc' -exec basename {} .cc \; | sort)
fi
for target in "${targets[@]}"; do
  if [[ -z $(find vigil -name "$target.cc") ]]; then
    echo "run.sh: there is no fuzz target '$target' under vigil/" >&2
    exit 2
  fi
done

cmake --preset fuzz --log-level=WARNING
cmake --build --preset fuzz --target "${targets[@]}"

mkdir -p build/fuzz/findings
summary=()
status=0
for target in "${targets[@]}"; do
  learned=build/fuzz/corpus/$target
  log=build/fuzz/findings/$target.log
  mkdir -p "$learned"
  dictionary=()
  if [[ -f tests/fuzz/corpus/$target.dict ]]; then
    dictionary=(-dict="tests/fuzz/corpus/$target.dict")
  fi
  echo "fuzz: $target, $executions executions, FUZZ_SEED=$seed"
  if build/fuzz/fuzz/"$target" -runs="$executions" -seed="$seed" -max_len=8192 -timeout=20 \
    "${dictionary[@]}" -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/findings/"$target"- \
    "$learned" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    verdict=clean
  else
    verdict="BROKEN, see $log"
    status=1
    tail -n 40 "$log"
  fi
  ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
  summary+=("$(printf '%-24s %12s executions  %s' "$target" "${ran:-0}" "$verdict")")
done

printf '%s\n' "${summary[@]}"
exit "$status"
