#!/usr/bin/env bash
# The long suites, for a machine that has hours: every mutant under ASan+UBSan, an hour of each fuzzer, all random one-op models and all
# test models against the oracle.
# Usage: scripts/long.sh [--mutants N] [--fuzz-seconds N] [--cases N]
# Needs ASSAY_TEST_DATA; the oracle parts need ORACLE_PYTHON, a Python with ai-edge-litert, numpy and flatbuffers.
set -euo pipefail
cd "$(dirname "$0")/.."
mutants=20000 fuzz_seconds=3600 cases=200
while [ $# -gt 0 ]; do
  case "$1" in
    --mutants) mutants=$2; shift ;;
    --fuzz-seconds) fuzz_seconds=$2; shift ;;
    --cases) cases=$2; shift ;;
    *) echo "scripts/long.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
: "${ASSAY_TEST_DATA:?set it to the folder of test data}"
scripts/setup.sh --ci
cmake --preset asan-ubsan >/dev/null
cmake --build --preset asan-ubsan -j "$(nproc)" --target mutate_models
build/asan-ubsan/tests/tools/mutate_models --count "$mutants" --seed "$RANDOM" "$ASSAY_TEST_DATA"/*/*.tflite
scripts/fuzz.sh --seconds "$fuzz_seconds"
if [ -n "${ORACLE_PYTHON:-}" ]; then
  cmake --preset release >/dev/null
  cmake --build --preset release -j "$(nproc)"
  "$ORACLE_PYTHON" tests/oracle/run_cases.py all --count "$cases"
  "$ORACLE_PYTHON" tests/oracle/make_real_inputs.py --data "$ASSAY_TEST_DATA" build/real-inputs
  "$ORACLE_PYTHON" tests/oracle/run_models.py --real build/real-inputs "$ASSAY_TEST_DATA"/*/*.tflite
  "$ORACLE_PYTHON" tests/oracle/check_interpreter.py "$ASSAY_TEST_DATA"/*/*.tflite
  "$ORACLE_PYTHON" tests/oracle/check_writer.py "$ASSAY_TEST_DATA"/*/*.tflite
  "$ORACLE_PYTHON" tests/oracle/check_accuracy.py --data "$ASSAY_TEST_DATA"
fi
