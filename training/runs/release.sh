#!/bin/sh
# Weights -> ONNX and int8 -> calibration -> judgement -> complete model folder; about six minutes of one core.
#
#   training/runs/release.sh WEIGHTS POOLS EVAL BUILD OUT NAME VERSION
#
# WEIGHTS  best.safetensors of a run, or a .pt (a checkpoint, the first model's state.pt)
# POOLS    held-out pictures: python -m training.data pools --data SHARDS --part tune --part calibrate \
#          --drop training/mislabelled.txt --out POOLS
# EVAL     eval.tar or a folder of upright pictures <kind>/<source>/<name>; nothing is chosen by it
# BUILD    keeps every form, the figures, the reports and the contact sheet of the worst
# OUT      the model folder, e.g. src/upright/models/upright-1
#
# In the environment: PYTHON; THREADS; SIZE in px; PRECISION=int8 ships the int8 form, if it was not refused;
# ROBUST_EACH pictures of each kind for the robustness table, 0 leaves it out; CHECK_EACH for the agreement of the forms,
# 0 takes all; STEPS to judge; COMMIT; TRAINING_DATA, a sentence or two for model.json; PEERS of bench.peers for the
# card (run from the repository's root, where bench/ is); before-whole and before-turned are the model folder BEFORE.
set -eu
weights=$1 pools=$2 eval=$3 build=$4 out=$5 name=$6 version=$7
python=${PYTHON:-python} size=${SIZE:-224} threads=${THREADS:-1} robust_each=${ROBUST_EACH:-40}
commit=${COMMIT:-$(git rev-parse --short HEAD)}
training_data=${TRAINING_DATA:-"ImageNet start (EfficientNet-Lite); then photographs, documents, screenshots and scene text \
collected from public repositories under research licences (not redistributed), and rendered pages; see training/README.md."}
case ${PRECISION:-fp32} in
    int8) onnx=$build/model-int8.onnx ;;
    *) onnx=$build/model.onnx ;;
esac

rm -f "$onnx"
$python -m training.export --weights "$weights" --size "$size" --pictures "$pools" --check "$eval" \
    --each "${CHECK_EACH:-0}" --threads "$threads" --out "$build"
[ -s "$onnx" ] || { echo "$onnx was refused, see above; release with PRECISION=fp32" >&2; exit 1; }
$python -m training.calibrate --model "$onnx" --pools "$pools" --threads "$threads" \
    --json "$build/calibration.json" --figures "$build"

folder() {
    $python -m training.modelfolder --onnx "$onnx" --calibration "$build/calibration.json" --name "$name" \
        --version "$version" --size "$size" --training-data "$training_data" --commit "$commit" --out "$build/folder" "$@"
}
folder
$python -m training.evaluate --model "$build/folder" --eval "$eval" --steps "${STEPS:-glance,turned,quarters,climb}" \
    --threads "$threads" --json "$build/report.json" --sheet "$build/worst.png" > "$build/report.md"
set -- --report "$build/report.json" --figure "$build/reliability.png" --figure "$build/risk_coverage.png"
if [ "$robust_each" -gt 0 ]; then
    $python -m training.robust --model "$build/folder" --eval "$eval" --each "$robust_each" --threads "$threads" \
        --json "$build/robust.json" > "$build/robust.md"
    set -- "$@" --table "$build/robust.md"
fi
if [ -n "${PEERS:-}" ]; then
    $python -m bench.peers --model "$build/folder" --eval "$eval" --each 1000 --peers "$PEERS" \
        ${BEFORE:+--before "$BEFORE"} --json "$build/peers.json" > "$build/peers.md"
    set -- "$@" --table "$build/peers.md"
fi
folder "$@"
# Whole or not at all: whoever uses the old folder meanwhile keeps it until here.
rm -rf "$out" && mkdir -p "$(dirname "$out")" && cp -r "$build/folder" "$out"
cat "$build/report.md"
