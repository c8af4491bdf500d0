#!/usr/bin/env bash
# Everything for one sitting on a lent GPU, made here beforehand; to be called again after it was cut off.
#
#   [START=weights] [PAGES=6600] [WINDOWS=14500] [PIECES=10] runs/gpu.sh DATA WORK [WORKERS]
#
# Into WORK: pieces/piece-NN.tar and code.tar. First send code.tar and piece-00.tar, unpack the one, and start in its folder
#
#   setsid nohup python3 -m training.sitting train pieces --recipe training/recipes/read-on-gpu.toml --run run
#
# then send the other pieces into pieces/, each under its name only when it is whole. run/best.safetensors is what to
# take home; a number in run/minutes changes how long it goes on.
set -euo pipefail
PYTHON=${PYTHON:-python3}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
data=$1 work=$2 workers=${3:-$(nproc)}
export START=${START:-training/weights/upright-1.safetensors}
PAGES=${PAGES:-6600} WINDOWS=${WINDOWS:-14500} bash training/runs/prepare.sh "$data" "$work" "$workers"
[ -d "$work/pieces" ] || {
    rm -rf "$work/pieces.unfinished"
    nice "$PYTHON" -m training.sitting pack --data "$data" --synth "$work/synth.npy" --synth-read "$work/windows.npy" \
        --drop "$work/drop.txt" --start "$START" --pieces "${PIECES:-10}" --out "$work/pieces.unfinished"
    mv "$work/pieces.unfinished" "$work/pieces"
}
tar --create --file "$work/code.tar" training/*.py training/*.c training/recipes
ls -l "$work/pieces" "$work/code.tar"
