#!/usr/bin/env bash
# Hours on a CPU, from shards to a calibrated model folder; to be called again after it was cut off.
#
#   [START=weights] [PAGES=6000] [WINDOWS=0] [RECIPE=...] runs/cpu.sh DATA WORK [MINUTES] [THREADS]
set -euo pipefail
PYTHON=${PYTHON:-python3}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
data=$1 work=$2 minutes=${3:-240} threads=${4:-$(nproc)}
mkdir -p "$work"
# Threads that wait must not spin: on a busy machine that cost ten times the work itself. Memory goes back to the system
# only at the end and comes in large pages: a view's first layers take 30 MB each, and fetching them again at every step
# took three times the work.
export OMP_WAIT_POLICY=passive MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 GLIBC_TUNABLES=glibc.malloc.hugetlb=1

# Rendered text is what the shards are short of.
bash training/runs/prepare.sh "$data" "$work" "$threads"
windows=()
[ ! -f "$work/windows.npy" ] || windows=(--synth-read "$work/windows.npy")
nice "$PYTHON" -m training.train --recipe "${RECIPE:-recipes/small-cpu.toml}" --data "$data" \
    --synth "$work/synth.npy" "${windows[@]}" --drop "$work/drop.txt" --start "${START:-imagenet}" --run "$work/run" \
    --minutes "$minutes" --threads "$threads" --resume

nice "$PYTHON" -m training.data pools --data "$data" --part tune --part calibrate \
    --drop training/mislabelled.txt --drop training/no-up.txt --out "$work/calibrate"
nice "$PYTHON" -m training.export --weights "$work/run/best.safetensors" --pictures "$work/calibrate" --out "$work/build"
nice "$PYTHON" -m training.calibrate --model "$work/build/model.onnx" --pools "$work/calibrate" \
    --json "$work/build/calibration.json" --figures "$work/build"
nice "$PYTHON" -m training.modelfolder --onnx "$work/build/model.onnx" --calibration "$work/build/calibration.json" \
    --name small --version "$(date +%Y.%m.%d)" --training-data "$data, rendered pages" \
    --commit "$(git rev-parse --short HEAD)" --out "$work/model"
echo "judge it: $PYTHON -m training.evaluate --model $work/model --eval EVAL.tar --json $work/report.json"
