#!/usr/bin/env bash
# One GPU sitting of at most 25 minutes: teacher (medium), then student (small), on a machine without a network.
#
#   runs/gpu.sh pack PIECES DATA... [SYNTH.npy]    here: code, shards, start weights, in pieces of at most 60 MB
#   runs/gpu.sh train PIECES OUT [MINUTES]         there: unpacks, trains, distils, judges on the tune part;
#                                                  leaves weights and logs in OUT, in pieces of at most 15 MB
#   runs/gpu.sh join OUT WEIGHTS                   here: puts the pieces together again
#
# `train` may be called again after it was cut off: it goes on from its checkpoints. It needs torch, numpy, pillow and
# safetensors. From the environment: PYTHON, MEDIUM and SMALL (recipes), SMALL_START (weights of lite0 to go on from),
# WORK (scratch folder there).
set -euo pipefail
shopt -s nullglob
PYTHON=${PYTHON:-python3}
MEDIUM=${MEDIUM:-recipes/medium-gpu.toml}
SMALL=${SMALL:-recipes/small-distil.toml}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

pack() {
    local pieces=$1 staged source
    shift
    staged=$(mktemp -d)
    trap "rm -rf '$staged'" EXIT
    mkdir -p "$pieces" "$staged/training" "$staged/data"
    rm -f "$pieces"/sitting.tar.*
    cp -r "$root"/training/*.py "$root"/training/*.c "$root/training/recipes" "$root/training/runs" "$staged/training"
    cp "$MEDIUM" "$staged/training/medium.toml" 2>/dev/null || cp "$root/training/$MEDIUM" "$staged/training/medium.toml"
    cp "$SMALL" "$staged/training/small.toml" 2>/dev/null || cp "$root/training/$SMALL" "$staged/training/small.toml"
    for source in "$@"; do
        case $source in
            *.npy) (cd "$root" && "$PYTHON" -m training.data shard --synth "$source" --out "$staged/data/train-synth.tar") ;;
            *.tar) cp "$source" "$staged/data" ;;
            *) cp "$source"/train-*.tar "$staged/data" ;;
        esac
    done
    (cd "$root" && "$PYTHON" -m training.network --start imagenet --variant lite2 --out "$staged/medium.safetensors")
    (cd "$root" && "$PYTHON" -m training.network --start "${SMALL_START:-imagenet}" --variant lite0 --out "$staged/small.safetensors")
    tar -cf - -C "$staged" . | split -b 60000000 - "$pieces/sitting.tar."
    (cd "$pieces" && sha256sum sitting.tar.* > SHA256)
    ls -l "$pieces"
}

train() {
    local pieces out minutes=${3:-20} work
    pieces=$(realpath "$1")
    mkdir -p "$2"
    out=$(realpath "$2")
    work=${WORK:-$(mktemp -d)}
    (cd "$pieces" && sha256sum --quiet --check SHA256)
    [ -d "$work/training" ] || { mkdir -p "$work" && cat "$pieces"/sitting.tar.* | tar -xf - -C "$work"; }
    cd "$work"
    # Two thirds teach the teacher, a quarter the student; reading the shards and judging take the rest.
    "$PYTHON" -m training.train --recipe training/medium.toml --data data --start medium.safetensors --run medium \
        --minutes "$("$PYTHON" -c "print($minutes * 0.62)")" --resume
    "$PYTHON" -m training.distill --recipe training/small.toml --data data --start small.safetensors --run small \
        --teacher medium/best.safetensors --minutes "$("$PYTHON" -c "print($minutes * 0.25)")" --resume
    for run in medium small; do
        split -b 15000000 "$run/best.safetensors" "$out/$run.safetensors."
        cat "$run/log.txt" > "$out/$run.log"
        tail -n 1 "$run/judgements.jsonl"
    done
}

join() {
    mkdir -p "$2"
    for run in medium small; do
        cat "$1/$run.safetensors."* > "$2/$run.safetensors"
    done
    ls -l "$2"
}

case ${1:-} in
    pack | train | join) "$@" ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 2 ;;
esac
