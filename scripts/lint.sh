#!/usr/bin/env bash
# clang-format over everything; clang-tidy over what the last commits changed (--all: over everything).
# Usage: scripts/lint.sh [--all] [--since REV]
set -euo pipefail
cd "$(dirname "$0")/.."
all=no since=
while [ $# -gt 0 ]; do
  case "$1" in
    --all) all=yes ;;
    --since) since=$2; shift ;;
    *) echo "scripts/lint.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
mapfile -t sources < <(git ls-files '*.cc' '*.h')
clang-format --dry-run -Werror "${sources[@]}"
if [ "$all" = yes ]; then
  mapfile -t checked < <(git ls-files 'src/*.cc' 'demo/*.cc' | grep -v _test.cc)
else
  if [ -z "$since" ]; then since=$(git rev-list -n 1 --skip=3 HEAD 2>/dev/null || true); fi
  [ -n "$since" ] || since=$(git rev-list --max-parents=0 HEAD | tail -n 1)
  mapfile -t checked < <(git diff --name-only --diff-filter=AM "$since" -- 'src/*.cc' 'demo/*.cc' | grep -v _test.cc | head -25)
fi
# clang-tidy reads each file by itself, so it asks for commands that do so (the other presets compile several files together).
cmake --preset lint >/dev/null
cmake --build --preset lint --target generated_sources >/dev/null
[ ${#checked[@]} -eq 0 ] || printf '%s\n' "${checked[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/lint --extra-arg=-Wno-unknown-warning-option --quiet --warnings-as-errors='*' 2> >(grep -v 'warnings generated\|Suppressed\|Use -header-filter' >&2)
echo "lint: ${#sources[@]} files formatted, ${#checked[@]} checked by clang-tidy"
