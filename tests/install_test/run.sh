#!/usr/bin/env bash
# Installs the build into a temporary prefix, builds the ten-line program against it and runs it on a model.
# Usage: run.sh BUILD_FOLDER MODEL.tflite
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$1" --prefix "$work/prefix" >/dev/null
"$work/prefix/bin/assay" --version
cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/build" >/dev/null
"$work/build/ten_lines" "$2"
