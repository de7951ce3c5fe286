#!/usr/bin/env bash
# Builds the fuzzers with clang under ASan+UBSan and runs each for a while from its seeds; a crash leaves its input in build/fuzz/crashes.
# Usage: scripts/fuzz.sh [--seconds N] [FUZZER...]     default: 60 seconds each, all fuzzers
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=60 names=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=$2; shift ;;
    -*) echo "scripts/fuzz.sh: unknown option $1" >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd fuzz && ls fuzz_*.cc | sed 's/\.cc$//')
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "$(nproc)" --target fuzz_seeds "${names[@]}"
mkdir -p build/fuzz/crashes
for name in "${names[@]}"; do
  corpus=build/fuzz/corpus/$name
  mkdir -p "$corpus"
  seeds=()
  for folder in "build/fuzz/fuzz/seeds/$name" "fuzz/seeds/$name"; do [ ! -d "$folder" ] || seeds+=("$folder"); done
  echo "$name: $seconds s"
  build/fuzz/fuzz/"$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/crashes/"$name"- "$corpus" "${seeds[@]}" 2>&1 | tail -12
done
