#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing, builds release and starts vigild; Ctrl-C drains and stops it.
#
#   scripts/run.sh                          serve on 127.0.0.1:6390 (RESP) and :8390 (HTTP),
#                                           keeping what is written in ./vigil-data
#   scripts/run.sh --demo                   the same with a live order workload
#   scripts/run.sh -- --resp-port 0         pass options to vigild (see -- --help)
set -euo pipefail
cd "$(dirname "$0")/.."

arguments=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --demo)
      arguments+=(--demo)
      shift
      ;;
    --)
      shift
      arguments+=("$@")
      break
      ;;
    *)
      echo "usage: scripts/run.sh [--demo] [-- VIGILD OPTIONS]" >&2
      exit 2
      ;;
  esac
done

scripts/setup.sh run
cmake --preset release --log-level=WARNING
cmake --build --preset release
# A data directory of the caller's, by flag or file, takes the place of the default one.
case " ${arguments[*]} " in
  *" --data-dir"* | *" --config"*) ;;
  *) arguments+=(--data-dir ./vigil-data) ;;
esac
exec build/release/vigild "${arguments[@]}"
