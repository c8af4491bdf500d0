#!/bin/sh
# Weights -> ONNX and int8 -> calibration -> judgement -> complete model folder; about six minutes of one core.
#
#   training/runs/release.sh WEIGHTS POOLS NATIVE EVAL BUILD OUT NAME VERSION
#
# WEIGHTS  best.safetensors of a run, or its checkpoint.pt
# POOLS    held-out pictures: python -m training.data pools --data SHARDS --part tune --part calibrate \
#          --drop training/mislabelled.txt --drop training/no-up.txt --out POOLS
# NATIVE   the files of training/native.csv of part calibrate, <kind>/<source>/<name>, for the last step's figures
# EVAL     eval.tar or a folder of upright pictures <kind>/<source>/<name>; nothing is chosen by it
# BUILD    keeps every form, the figures, the reports and the contact sheet of the worst
# OUT      the model folder, e.g. src/upright/models/upright-1
#
# The int8 form ships beside the float one unless it was refused; it is then what is calibrated and judged, as it is what
# the product runs on a CPU. In the environment: PYTHON; THREADS; SIZE in px; ROBUST_EACH pictures of each kind for the
# robustness table, 0 leaves it out; CHECK_EACH for the agreement of the forms, 0 takes all; STEPS to judge; DOUBTS, a
# CSV of pictures of EVAL to leave out; COMMIT; TRAINING_DATA, a sentence or two for model.json; PEERS of bench.peers for the
# card (run from the repository's root, where bench/ is); before-effort-N are the model folder BEFORE.
set -eu
weights=$1 pools=$2 native=$3 eval=$4 build=$5 out=$6 name=$7 version=$8
python=${PYTHON:-python} size=${SIZE:-224} threads=${THREADS:-1} robust_each=${ROBUST_EACH:-40}
commit=${COMMIT:-$(git rev-parse --short HEAD)}
training_data=${TRAINING_DATA:-"ImageNet start (EfficientNet-Lite); then photographs, documents, screenshots and scene text \
collected from public repositories under research licences (not redistributed), and rendered pages; see training/README.md."}
rm -f "$build"/model*.onnx
$python -m training.export --weights "$weights" --size "$size" --pictures "$pools" --each "${CHECK_EACH:-0}" \
    --threads "$threads" --out "$build"
run=$build/model.onnx int8=
[ -s "$build/model-int8.onnx" ] && run=$build/model-int8.onnx int8="--int8 $build/model-int8.onnx"
$python -m training.calibrate --model "$run" --pools "$pools" --native "$native" --threads "$threads" \
    --json "$build/calibration.json" --figures "$build"

folder() {
    # shellcheck disable=SC2086  # the option and its value, or nothing
    $python -m training.modelfolder --onnx "$build/model.onnx" $int8 --calibration "$build/calibration.json" --name "$name" \
        --version "$version" --size "$size" --training-data "$training_data" --commit "$commit" --out "$build/folder" "$@"
}
folder
$python -m training.evaluate --model "$build/folder" --eval "$eval" --steps "${STEPS:-glance,opposite,turned,quarters,close,climb}" \
    ${DOUBTS:+--doubts "$DOUBTS"} \
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
