#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test: the layers, the unit tests (release; with --sanitize also under
# ASan+UBSan), the CLI cases. Tests that need outside data look for it in $ASSAY_TEST_DATA and say so when they skip.
# Usage: scripts/test.sh [--sanitize] [--jobs N]
set -euo pipefail
cd "$(dirname "$0")/.."
sanitize=no jobs=$(nproc)
while [ $# -gt 0 ]; do
  case "$1" in
    --sanitize) sanitize=yes ;;
    --jobs) jobs=$2; shift ;;
    *) echo "scripts/test.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
scripts/setup.sh
[ -z "${ASSAY_TEST_DATA:-}" ] || export ASSAY_TEST_DATA=$(realpath "$ASSAY_TEST_DATA")
if [ "$sanitize" = yes ]; then
  cmake --preset asan-ubsan >/dev/null
  cmake --build --preset asan-ubsan -j "$jobs" --target unit_tests
  ctest --preset asan-ubsan -L unit -j "$jobs"
fi
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs"
ctest --preset release -LE long -j "$jobs"
