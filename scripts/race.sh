#!/usr/bin/env bash
# Races the program against LiteRT (XNNPACK) on the models below, in turns, and prints the ratio per model and a mean per scheme. Outputs on
# the same random input must agree first.
# Usage: scripts/race.sh [--threads 1,2] [--rounds 7] [--big FOLDER]
#   ASSAY_TEST_DATA   the folder of test data, whose sibling oracle/ holds race.py (default ../shared/data)
#   ASSAY_ORACLE      a Python that has LiteRT (default ~/.cache/assay-oracle/bin/python)
#   --big FOLDER      where make_big_models.py wrote the large architectures; without it they are left out
set -euo pipefail
cd "$(dirname "$0")/.."
data=$(realpath "${ASSAY_TEST_DATA:-../shared/data}")
python=${ASSAY_ORACLE:-$HOME/.cache/assay-oracle/bin/python}
threads=1,2 rounds=7 big=
while [ $# -gt 0 ]; do
  case "$1" in
    --threads) threads=$2 ;;
    --rounds) rounds=$2 ;;
    --big) big=$2 ;;
    *) echo "scripts/race.sh: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
models=(
  cifar10/resnet8_{float,int8}.tflite cifar10/resnet8_large_{float,int8}.tflite
  coco/ssd_mobilenet_v1_uint8.tflite coco/st_ssd_mobilenet_v1_025_192_int8.tflite
  flowers/{fdmobilenet_0.25_224_tfs_int8,mobilenet_v1_0.25_224_tfs_int8,mobilenet_v1_0.25_96_tl_int8}.tflite
  flowers/{mobilenet_v2_0.35_224_tfs_int8,squeezenetv1.1_128_tfs_int8}.tflite
  imagenet/mobilenet_v1_0.25_{128_quant,224_float,224_uint8}.tflite imagenet/mobilenet_v1_0.75_192_quant.tflite
  imagenet/{mobilenet_v2_1.0_224_quant,tf2_mobilenet_v2_1.0_224_ptq}.tflite
  kws/kws_{float,int8}.tflite mnist/{cnn_small_float,conv_fc_float,conv_fc_int8,lstm_float,lstm_int8}.tflite
  other/{deeplabv3_mnv2_dm05_pascal_quant,keras_lstm_mnist_ptq}.tflite
  tiny/{ad01_fp32,ad01_int8,str_ww_ref_model,vww_96_float,vww_96_int8}.tflite
)
paths=("${models[@]/#/$data/}")
if [ -n "$big" ]; then
  for name in mobilenet_v1 mobilenet_v2 resnet50 efficientnet_b0 inception_v3 mobilenet_v3_small; do
    for scheme in f32 dr int8 int16x8; do
      [ ! -f "$big/${name}_$scheme.tflite" ] || paths+=("$big/${name}_$scheme.tflite")
    done
  done
fi
cmake --preset release >/dev/null
cmake --build --preset release --target assay
exec "$python" "$data/../oracle/race.py" --assay build/release/assay --threads "$threads" --rounds "$rounds" "${paths[@]}"
