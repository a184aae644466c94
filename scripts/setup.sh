#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing on Debian 12, and nothing else; when nothing is missing it only looks.
#
#   scripts/setup.sh run     what building and running the product takes
#   scripts/setup.sh         that, and what building and running every test takes
#
# Works as root or through sudo. Servers that the tests start themselves (redis-server, nginx,
# prometheus) are installed but neither started nor enabled as services.
set -euo pipefail
cd "$(dirname "$0")/.."

run_packages=(
  ccache cmake g++ ninja-build pkg-config
  libarchive-dev libboost1.81-dev libcli11-dev libdw-dev libelf-dev libexpat1-dev libsimdjson-dev
  libspdlog-dev libtomlplusplus-dev libxxhash-dev prometheus-cpp-dev rapidjson-dev
  zlib1g-dev
)
test_packages=(
  ca-certificates clang clang-format clang-tidy libclang-rt-dev llvm
  python3 python3-jsonschema python3-junitparser python3-yaml
  libabsl-dev libbenchmark-dev libgmock-dev libgtest-dev librocksdb-dev libtbb-dev liburcu-dev
  curl faketime fish gdb groff nginx prometheus redis-server redis-tools systemd tcl time wrk zsh
)

is_installed() {
  [[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" == "ii " ]]
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: cannot become root here; run this as root, then try again:" >&2
    echo "  $*" >&2
    exit 1
  fi
}

# Debian starts and enables a service when its package is installed, unless told not to.
readonly policy=/usr/sbin/policy-rc.d
forbid_service_starts() {
  [[ -e $policy ]] && return
  trap 'as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod +x "$policy"
}

disable_new_services() {
  [[ -d /run/systemd/system ]] || return 0
  local service
  for service in redis-server nginx prometheus; do
    if [[ " $* " == *" $service "* ]]; then as_root systemctl disable --quiet "$service"; fi
  done
}

install_missing() {
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [[ ${#missing[@]} -eq 0 ]] && return
  echo "setup: installing ${missing[*]}"
  forbid_service_starts
  as_root apt-get update -qq </dev/null
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
  disable_new_services "${missing[@]}"
}

# The JavaScript Redis clients that the end-to-end tests drive.
install_node_modules() {
  local folder=tests/e2e
  [[ -f $folder/package-lock.json ]] || return 0
  [[ $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]] && return
  echo "setup: installing the packages of $folder/package-lock.json"
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error </dev/null)
}

case "${1:-}" in
  run)
    install_missing "${run_packages[@]}"
    ;;
  "")
    command -v node >/dev/null || test_packages+=(nodejs)
    command -v npm >/dev/null || test_packages+=(npm)
    install_missing "${run_packages[@]}" "${test_packages[@]}"
    install_node_modules
    ;;
  *)
    echo "usage: scripts/setup.sh [run]" >&2
    exit 2
    ;;
esac
