#!/usr/bin/env bash
# Line coverage of what untrusted models reach: the reader, the verifier and every file of src/ops, by the fuzzers' seeds and
# corpora (scripts/fuzz.sh makes them) and by mutants of the given models.
# Usage: scripts/coverage.sh [--mutants N] [--least PERCENT] [MODEL.tflite...]
# Prints the files from the least covered up, and fails where one is below PERCENT (default 85).
set -euo pipefail
cd "$(dirname "$0")/.."
mutants=20000 least=85 models=()
while [ $# -gt 0 ]; do
  case "$1" in
    --mutants) mutants=$2; shift ;;
    --least) least=$2; shift ;;
    -*) echo "scripts/coverage.sh: unknown option $1" >&2; exit 2 ;;
    *) models+=("$1") ;;
  esac
  shift
done
build=build/coverage
cmake --preset coverage >/dev/null
cmake --build --preset coverage -j "$(nproc)" --target fuzz_seeds fuzz_reader fuzz_invoke mutate_models
rm -f "$build"/*.profraw
for name in fuzz_reader fuzz_invoke; do
  inputs=("$build/fuzz/seeds/$name")
  for more in "fuzz/seeds/$name" "build/fuzz/corpus/$name"; do [ ! -d "$more" ] || inputs+=("$more"); done
  LLVM_PROFILE_FILE=$build/$name.profraw "$build/fuzz/$name" "${inputs[@]}" 2>&1 | tail -1
done
if [ ${#models[@]} -gt 0 ]; then
  LLVM_PROFILE_FILE=$build/mutants.profraw "$build/tests/tools/mutate_models" --count 0 "${models[@]}" >/dev/null
  LLVM_PROFILE_FILE=$build/mutants.profraw "$build/tests/tools/mutate_models" --count "$mutants" "${models[@]}" | tail -1
fi
llvm-profdata-16 merge -o "$build/all.profdata" "$build"/*.profraw
llvm-cov-16 export --summary-only -instr-profile "$build/all.profdata" "$build/tests/tools/mutate_models" \
  -object "$build/fuzz/fuzz_reader" -object "$build/fuzz/fuzz_invoke" |
  LEAST=$least python3 -c '
import json, os, sys
least = float(os.environ["LEAST"])
files = []
for f in json.load(sys.stdin)["data"][0]["files"]:
    name = f["filename"].split("/src/")[-1]
    if name.endswith(".cc") and (name.startswith("ops/") or name in ("format/tflite/reader.cc", "graph/verifier.cc")):
        lines = f["summary"]["lines"]
        files.append((lines["percent"], lines["count"], name))
files.sort()
for percent, count, name in files[:25]:
    print(f"{percent:6.1f} % of {count:4d} lines  {name}")
low = [name for percent, count, name in files if percent < least]
print(f"{len(files)} files, {len(low)} below {least:g} %; least {files[0][0]:.1f} %")
sys.exit(1 if low else 0)'
