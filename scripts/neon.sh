#!/usr/bin/env bash
# The vector kernels for NEON: cross-compiles the kernels with what they need and runs their tests under qemu-user (correctness only).
# Usage: scripts/neon.sh      skips where the cross compiler or qemu-user is missing (scripts/setup.sh --ci installs both)
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null || { echo "scripts/neon.sh: skipped: there is no $tool" >&2; exit 0; }
done
out=build/neon
mkdir -p "$out"
# Headers that do not depend on the machine come from the host; the few library sources behind them are compiled here.
include=$out/include
mkdir -p "$include"
for header in hwy fmt gtest; do ln -sfn "/usr/include/$header" "$include/$header"; done
# Highway's targets that the build leaves out are listed in one place.
flags=(-std=c++20 -O2 -ffp-contract=off -fno-math-errno -DFMT_HEADER_ONLY -DHWY_STATIC_DEFINE -Isrc -isystem "$include" -Wall -Wextra -Wno-psabi
  -Wno-array-bounds -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread -Wno-dangling-pointer -march=armv8-a+crypto
  "-D$(grep -o 'HWY_DISABLED_TARGETS=([^)]*)' src/CMakeLists.txt)")
compiler=(aarch64-linux-gnu-g++)
if command -v ccache >/dev/null; then compiler=(ccache "${compiler[@]}"); fi
objects=()
compile() {  # SOURCE FLAGS...
  local object=$out/$(echo "$1" | tr '/' '_').o
  "${compiler[@]}" "${flags[@]}" "${@:2}" -c "$1" -o "$object"
  objects+=("$object")
}
compile /usr/src/googletest/googletest/src/gtest-all.cc -I/usr/src/googletest/googletest
compile tests/neon/main.cc
for source in src/base/error.cc src/numerics/*.cc src/kernels/ref/*.cc src/kernels/simd/*.cc; do
  case $source in *ref/*_test.cc | src/numerics/*_test.cc) continue ;; esac
  compile "$source"
done
aarch64-linux-gnu-g++ -static "${objects[@]}" -o "$out/kernels_test" -lpthread
qemu-aarch64 "$out/kernels_test"
