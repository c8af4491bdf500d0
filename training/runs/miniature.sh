#!/usr/bin/env bash
# The whole recipe in about a minute: renders pages, trains from ImageNet, and fails where nothing was learnt.
#
#   runs/miniature.sh [WORK]
set -euo pipefail
PYTHON=${PYTHON:-python3}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=${1:-$(mktemp -d)}
mkdir -p "$work"
# Threads that wait must not spin: on a busy machine that cost ten times the work itself.
export OMP_WAIT_POLICY=passive
# Kinds whose layout shows at 96 px; fine print does not.
kinds=(--kind slide --kind web --kind letter --kind receipt --kind settings)
"$PYTHON" -m training.synth --number "${PAGES:-320}" --seed 1 --workers 2 "${kinds[@]}" --out "$work/synth.npy"
"$PYTHON" -m training.train --recipe "${RECIPE:-recipes/miniature.toml}" --synth "$work/synth.npy" --run "$work/run" \
    --threads 2
"$PYTHON" - "$work/run/judgements.jsonl" <<'PYTHON'
import json, math, sys

judged = json.loads(open(sys.argv[1]).read().splitlines()[-1])["synth"]
# A net that sees nothing is right in one of the four showings of every picture, whatever it answers; however it errs, the
# share of a picture has a deviation of at most sqrt(3)/4. Beyond 0.45, and beyond three deviations of the mean, it learnt.
bar = max(0.45, 0.25 + 3 * math.sqrt(3) / 4 / math.sqrt(judged["pictures"]))
print(f"{judged['pictures']} pages that it never saw, four showings each: {judged['one']:.3f} right, {bar:.3f} needed")
sys.exit(judged["one"] < bar)
PYTHON
