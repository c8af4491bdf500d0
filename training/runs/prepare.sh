#!/usr/bin/env bash
# What training needs beside the shards: rendered pages, windows of them, the names of pictures that lie on their side.
#
#   [START=weights] [PAGES=6000] [WINDOWS=0] runs/prepare.sh DATA WORK [WORKERS]
#
# Into WORK: synth.npy, windows.npy if WINDOWS are wanted, and drop.txt, empty without START. What is there stays. On
# two cores 6,600 pages take some 6 minutes and 14,500 windows some 15.
set -euo pipefail
PYTHON=${PYTHON:-python3}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
data=$1 work=$2 workers=${3:-$(nproc)}
mkdir -p "$work"
photos=$work/backgrounds/val_photo.npy

rendered() { # file, number, further options
    [ -f "$1" ] || [ "$2" = 0 ] || {
        local to=$1 number=$2
        shift 2
        [ -d "$work/backgrounds" ] || {
            nice "$PYTHON" -m training.data pools --data "$data" --part train --kind photo --most 6000 \
                --out "$work/backgrounds.unfinished"
            mv "$work/backgrounds.unfinished" "$work/backgrounds"
        }
        [ ! -f "$photos" ] || set -- "$@" --photos "$photos"
        nice "$PYTHON" -m training.synth --number "$number" --workers "$workers" "$@" --out "$to.unfinished.npy"
        mv "$to.unfinished.npy" "$to"
    }
}
rendered "$work/synth.npy" "${PAGES:-6000}"
rendered "$work/windows.npy" "${WINDOWS:-0}" --windows --seed 1000000
# A model that has learnt something names them.
[ -z "${START:-}" ] || [ -f "$work/drop.txt" ] || \
    nice "$PYTHON" -m training.data doubt --data "$data" --model "$START" --out "$work/drop.txt"
[ -f "$work/drop.txt" ] || : > "$work/drop.txt"
