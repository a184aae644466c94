#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Formats every C++ file of the tree; with --check, changes nothing and fails if one would change.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  "") mode=(-i) ;;
  --check) mode=(--dry-run -Werror) ;;
  *)
    echo "usage: scripts/format.sh [--check]" >&2
    exit 2
    ;;
esac

find vigil tests examples cmake -name node_modules -prune -o \
  \( -name '*.h' -o -name '*.cc' \) -print0 |
  xargs -0 clang-format --style=file "${mode[@]}"
