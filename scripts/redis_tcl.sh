#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs files of Redis's own Tcl test suite (7.0.15) against vigild, in the suite's external-server
# mode, and prints passed/failed per file. The suite is Debian's source package of redis, kept in
# build/redis-tcl.
#
#   scripts/redis_tcl.sh [--vigild PATH] [FILE...]     FILE: unit/expire, unit/type/string, ...
#
# Exit code: 0 if every failed test needs a command that vigild does not serve, else 1.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache="$root/build/redis-tcl"
vigild="$root/build/release/vigild"
files=()

while (($#)); do
  case $1 in
    --vigild) vigild=$2; shift 2 ;;
    -h | --help) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "redis_tcl.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) files+=("$1"); shift ;;
  esac
done
((${#files[@]})) || files=(unit/type/string unit/expire unit/type/incr unit/scan unit/protocol)
if [[ ! -x $vigild ]]; then
  echo "redis_tcl.sh: no vigild at $vigild: run scripts/run.sh first" >&2
  exit 2
fi

# The system's own package sources, as source-package sources, without touching its configuration.
fetch_suite() {
  local apt="$cache/apt"
  mkdir -p "$apt/lists/partial" "$apt/sources.d"
  local file
  for file in /etc/apt/sources.list.d/debian.sources; do
    [[ -f $file ]] && sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/sources.d/debian.sources"
  done
  { [[ -f /etc/apt/sources.list ]] && sed -n 's/^deb /deb-src /p' /etc/apt/sources.list; true; } \
    >"$apt/sources.list"
  local options=(-q -o "Dir::Etc::SourceList=$apt/sources.list"
    -o "Dir::Etc::SourceParts=$apt/sources.d" -o "Dir::State::Lists=$apt/lists"
    -o "APT::Sandbox::User=root")
  apt-get "${options[@]}" update >"$cache/apt.log" 2>&1
  (cd "$cache" && apt-get "${options[@]}" source --download-only redis >>"$cache/apt.log" 2>&1)
  tar -xzf "$cache"/redis_7.0.15.orig.tar.gz -C "$cache" --one-top-level=suite --strip-components=1
}

if [[ ! -f $cache/suite/tests/test_helper.tcl ]]; then
  mkdir -p "$cache"
  fetch_suite || { echo "redis_tcl.sh: cannot get the suite, see $cache/apt.log" >&2; exit 2; }
fi
for program in redis-server redis-cli redis-benchmark redis-check-rdb redis-check-aof; do
  ln -sf "$(command -v $program)" "$cache/suite/src/$program"
done

exec {ready}< <(exec "$vigild" --resp-port 0 --http-port 0 2>"$cache/vigild.log")
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
read -r line <&"$ready" || { cat "$cache/vigild.log" >&2; exit 2; }
port=$(sed -n 's/^ready resp=[^ ]*:\([0-9]*\) .*/\1/p' <<<"$line")

# Per failed test: its name and why. Replication tests start by setting repl-ping-replica-period.
reasons() {
  awk '
    /^\[(err|exception)\]/ { test = $0; next }
    test != "" && match($0, /unknown (sub)?command '"'"'[^'"'"']*'"'"'/) {
      print test ": needs " substr($0, RSTART + 8, RLENGTH - 8); test = ""; next }
    test != "" && /repl-ping-replica-period/ { print test ": needs replication"; test = ""; next }
    test != "" && /^\[/ { print test ": UNEXPLAINED"; test = "" }
    END { if (test != "") print test ": UNEXPLAINED" }' "$1"
}

status=0
for file in "${files[@]}"; do
  log="$cache/$(tr / _ <<<"$file").log"
  (cd "$cache/suite" && timeout 300 ./runtest --host 127.0.0.1 --port "$port" --single "$file" \
    --singledb --ignore-encoding --ignore-digest --durable \
    --tags "-needs:debug -slow -large-memory" --clients 1) >"$log" 2>&1 || true
  sed -i 's/\x1b\[[0-9;]*m//g' "$log"
  # The suite repeats its failures in a summary.
  sed -n '/^!!! WARNING/q;p' "$log" >"$log.body"
  printf '%-18s %3d passed %3d failed\n' "$file" \
    "$(grep -c '^\[ok\]' "$log.body")" "$(grep -Ec '^\[(err|exception)\]' "$log.body")" || true
  reasons "$log.body" | sed "s/ in tests.*tcl:/:/; s/^/    /"
  if reasons "$log.body" | grep -q UNEXPLAINED || ! grep -q '^\[ok\]' "$log.body"; then status=1; fi
done
exit $status
