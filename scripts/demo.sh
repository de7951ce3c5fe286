#!/usr/bin/env bash
# Installs what is missing, builds, and runs the main job on the models and digits that the program carries.
# Usage: scripts/demo.sh [FOLDER]     the report and its files go to FOLDER (default: demo-output)
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
cmake --preset release -DASSAY_BUILD_TESTS=OFF >/dev/null
cmake --build --preset release --target assay -j "$(nproc)"
exec build/release/assay demo --out "${1:-demo-output}"
