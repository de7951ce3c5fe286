#!/usr/bin/env bash
# Installs the Debian 12 packages that building and testing need; does nothing where they are present.
# Usage: scripts/setup.sh [--ci]     --ci adds the linters, clang-16, Chromium and the cross compiler for NEON
set -euo pipefail
packages=(g++ cmake ninja-build mold ccache pkg-config python3 flatbuffers-compiler libflatbuffers-dev libhwy-dev libcli11-dev libfmt-dev
  libspdlog-dev nlohmann-json3-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev libzip-dev libhdf5-dev libprotobuf-dev protobuf-compiler libgtest-dev libgmock-dev libbenchmark-dev)
if [ "${1:-}" = --ci ]; then packages+=(clang-16 libclang-rt-16-dev llvm-16 clang-format clang-tidy chromium g++-aarch64-linux-gnu qemu-user); fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing ${missing[*]}" >&2
root=(); [ "$(id -u)" = 0 ] || root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
