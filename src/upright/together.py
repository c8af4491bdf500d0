"""Pictures decided together: the pages of a document, a folder of one scan job, a roll of film share how they lie.

`settle` infers how a job lies from the calibrated scores of all its pictures, and gives each the posterior of its turn.
A *pattern* is a hypothesis: how the turn goes on from one place to the next (all alike, or over and over as duplex
scanners do), and how a picture may differ from its place (not at all, landscape among portrait, or a stray). The
patterns are weighed by their marginal likelihood and averaged; a place that changes on the way (a stack that was put in
the other way round) is a jump. "No pattern" is one of them: the pictures are independent, and only how many of them lie
how is learnt.

Only an unsure picture is ever changed: what is sure alone keeps its answer, and so does what contradicts its job.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby, islice, product
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from .carriers.camera import Taken, read_taken
from .formats import pages_in
from .results import Orientation, Outcome, Reason, Scores, Together
from .tilt import MOST_ERROR
from .turns import Turn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Running numbers with a larger gap belong to two jobs; a few pictures are often deleted.
_MOST_GAP = 10
#: Photographs with a longer pause between them belong to two rolls.
_MOST_PAUSE = timedelta(hours=6)
#: Smallest job: two pictures cannot tell a pattern from chance.
LEAST = 3
#: A sure picture may be wrong all the same, once in a thousand: no single one decides for a job.
_DOUBT = 0.004
#: The pictures of a job resemble each other, and so do the model's errors on them: their evidence counts this much.
_WEIGHT = 0.8
#: Shares of places where another way of lying begins: none to speak of, or a stack of several.
_JUMPS = (0.001, 0.02)
#: Shares of pictures that do not follow their place, and how likely each share is before anything is seen.
_STRAYS = {0.001: 0.4, 0.01: 0.3, 0.1: 0.2, 0.3: 0.1}
#: Share of landscape pages among portrait ones.
_LANDSCAPE = 0.1
#: An unsure picture that gives its job's turn less than this contradicts it.
_CONTRADICTS = 0.02
#: How likely no pattern is before anything is seen, against one.
_FREE = 0.3
_NONE = "no pattern"
#: A turn that only its job is sure of has to be surer by this factor than one that a picture is sure of alone.
_CAUTION = 2
#: As many pictures of a job have to be sure alone, and as large a share, before it settles others.
_WITNESSES, _WITNESS_SHARE = 2, 0.1
#: Degrees by which the tilts of a job differ at the least, and at most if one may stand for another.
_LEAST_SPREAD, _MOST_SPREAD = 0.03, 0.3
#: As many pictures of a folder are held back at most: a job of more is decided in parts.
MOST = 1000


class Place(NamedTuple):
    """Where a picture is in its job: the name that all of it have in common, and its running number."""

    job: tuple[str, ...]
    number: int


def place_of(outcome: Outcome, files: bool = True) -> Place | None:
    """The place of one page of a file or, with ``files``, of a file with a running number; ``None`` for any other."""
    answer = outcome.orientation
    if answer is None or answer.mirrored:
        return None  # its turn comes after the mirroring: it is not that of the others
    if pages_in(answer.format, answer.pages) > 1:
        return Place((outcome.source,), answer.page)
    path = PurePath(outcome.source)
    match = re.fullmatch(r"(.*?)(\d{1,9})(\D*)", path.stem)
    if match is None or not files:
        return None
    before, number, after = match.groups()
    return Place((str(path.parent), before, after, path.suffix.lower()), int(number))


def decided_together(
    outcomes: Iterable[Outcome],
    sure: Callable[[Orientation], bool],
    *,
    files: bool = True,
    taken: Callable[[str], Taken | None] = lambda key: None,
) -> Iterator[Outcome]:
    """The same outcomes in the same order, each job settled; those of one folder are held back until all are there.

    Args:
        outcomes: as `upright.run.work` yields them.
        sure: whether the confidence of an answer keeps its promise.
        files: a job may also be files whose names differ in a running number alone and, where they have EXIF, which
            one device took close by each other. Without, only the pages of one file.
        taken: device and time of the picture with a key.
    """
    for _, group in groupby(outcomes, lambda each: str(PurePath(each.source).parent) if files else each.source):
        while held := list(islice(group, MOST)):
            for job in _jobs(held, files, taken):
                answers = [answer for i in job if (answer := held[i].orientation)]
                for i, answer in zip(job, levelled(settle(answers, sure)), strict=True):
                    held[i] = replace(held[i], orientation=answer)
            yield from held


def taken_by_key(key: str) -> Taken | None:
    """Device and time of a file on this machine; ``None`` for anything else."""
    try:
        with Path(key).open("rb") as file:
            return read_taken(file)
    except (OSError, ValueError):
        return None


def _jobs(held: Sequence[Outcome], files: bool, taken: Callable[[str], Taken | None]) -> Iterator[list[int]]:
    """The indices of each job, in the order of its numbers."""
    found: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for i, outcome in enumerate(held):
        if place := place_of(outcome, files):
            found.setdefault(place.job, []).append((place.number, i))
    for name, numbered in found.items():
        if len(numbered) < LEAST:
            continue
        job: list[int] = []
        last, before = 0, None
        for number, i in sorted(numbered):
            now = taken(held[i].source) if len(name) > 1 else None
            if job and (number - last > _MOST_GAP or (now and before and _apart(before, now))):
                yield job
                job = []
            job.append(i)
            last, before = number, now or before
        yield job


def _apart(before: Taken, now: Taken) -> bool:
    return now.device != before.device or abs(now.when - before.when) > _MOST_PAUSE


@dataclass(frozen=True, slots=True)
class Pattern:
    """One hypothesis: the words for it, its weight before anything is seen, and its tables.

    ``step[place, next]`` is the probability of the next place, ``shown[shape, place, turn]`` that of a picture's turn;
    shape is 1 for a picture of the rarer shape.
    """

    words: str
    weight: float
    step: Floats
    shown: Floats


def _patterns() -> list[Pattern]:
    import numpy as np

    same = np.eye(4)
    quarter = [np.roll(same, k, axis=1) for k in range(4)]  # place t shows t + 90 k
    among = {
        "": (1.0, same, same),
        ", with some landscape ones": (0.3, (1 - _LANDSCAPE) * same + _LANDSCAPE * (quarter[1] + quarter[3]) / 2, None),
        ", with landscape ones to the right": (0.15, (1 - _LANDSCAPE) * same + _LANDSCAPE * quarter[1], None),
        ", with landscape ones to the left": (0.15, (1 - _LANDSCAPE) * same + _LANDSCAPE * quarter[3], None),
        ", with those of another shape turned": (0.2, same, [quarter[1], quarter[2], quarter[3]]),
    }
    found = []
    for (over, how, weight), (words, (share, most, rare)), stray, jump in product(
        ((Turn.NONE, "all alike", 1.0), (Turn.HALF, "every other one over", 0.5)), among.items(), _STRAYS, _JUMPS
    ):
        step = (1 - jump) * quarter[over.index] + jump / 4
        rares = rare if isinstance(rare, list) else [most]
        for other in rares:
            shown = (1 - stray) * np.stack([most, other]) + stray / 4
            found.append(Pattern(how + words, weight * share * _STRAYS[stray] / len(rares), step, shown))
    return found


def settle(answers: Sequence[Orientation], sure: Callable[[Orientation], bool]) -> list[Orientation]:
    """The answers of one job in its order, the unsure ones settled where the job makes them sure.

    Each answer's `Orientation.together` says what it was alone. ``sure`` says whether the confidence of an answer keeps
    its promise.
    """
    alone = [sure(answer) for answer in answers]
    if len(answers) < LEAST or all(alone):
        return list(answers)
    import numpy as np

    likelihood = _likelihood(answers)
    patterns = _patterns()
    prior, evidence = _chains(likelihood, _rare(answers), patterns)
    free, free_evidence = _independent(likelihood)
    weights = np.append(evidence, free_evidence)
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    prior = np.einsum("h,hit->it", weights, np.concatenate([prior, free[None]]))
    witnesses = [answer.best.index == prior[i].argmax() for i, answer in enumerate(answers) if alone[i]]
    if sum(witnesses) < max(_WITNESSES, _WITNESS_SHARE * len(answers), len(witnesses) / 2):
        return list(answers)
    words = _words([*(pattern.words for pattern in patterns), _NONE], weights)
    return [
        _settled(answer, prior[i], Together(words, len(answers), answer.turn, answer.confidence, answer.scores), sure)
        for i, answer in enumerate(answers)
    ]


def levelled(answers: Sequence[Orientation]) -> list[Orientation]:
    """The answers of one job with the tilts that its pages have in common, where they have one.

    Pages that are fed alike lie alike askew: one that tells its tilt badly is drawn to the others, and one that does
    not tell it at all has theirs. How far tilts differ beyond their own errors is learnt (DerSimonian and Laird 1986).
    """
    found = [(answer.tilt, answer.tilt_error) for answer in answers if answer.tilt is not None and answer.tilt_error]
    # Of photographs, whose tilts are vague, a mean would seem to be known well.
    found = [(tilt, error) for tilt, error in found if error <= MOST_ERROR]
    if len(found) < max(LEAST, len(answers) / 2):
        return list(answers)
    weights = [1 / error**2 for _, error in found]
    total = sum(weights)
    mean = sum(weight * tilt for weight, (tilt, _) in zip(weights, found, strict=True)) / total
    apart = sum(weight * (tilt - mean) ** 2 for weight, (tilt, _) in zip(weights, found, strict=True))
    spread = max(0.0, (apart - len(found) + 1) / (total - sum(weight**2 for weight in weights) / total))
    weights = [1 / (error**2 + spread) for _, error in found]
    mean = sum(weight * tilt for weight, (tilt, _) in zip(weights, found, strict=True)) / sum(weights)
    common = spread + 1 / sum(weights) + _LEAST_SPREAD**2
    if common > _MOST_SPREAD**2:
        return list(answers)
    return [_level(answer, mean, common) for answer in answers]


def _level(answer: Orientation, mean: float, variance: float) -> Orientation:
    if answer.tilt is None or not answer.tilt_error:
        return replace(answer, tilt=mean, tilt_error=math.sqrt(variance))
    own = answer.tilt_error**2
    tilt = (answer.tilt * variance + mean * own) / (variance + own)
    return replace(answer, tilt=tilt, tilt_error=math.sqrt(own * variance / (own + variance)))


def _words(names: Sequence[str], weights: Floats) -> str:
    """The likeliest pattern; several hypotheses may have one name."""
    total = dict.fromkeys(names, 0.0)
    for name, weight in zip(names, weights, strict=True):
        total[name] += float(weight)
    return max(total, key=total.__getitem__)


def _settled(
    answer: Orientation, prior: Floats, together: Together, sure: Callable[[Orientation], bool]
) -> Orientation:
    alone, own = replace(answer, together=together), answer.scores.values
    posterior = prior * own
    a, b, c, d = (float(v) for v in posterior / posterior.sum())
    scores = Scores((a, b, c, d))
    changed = replace(alone, best=scores.best, turn=scores.best, confidence=scores.confidence, scores=scores)
    cautious = replace(changed, confidence=1 - (1 - scores.confidence) * (_CAUTION if scores.best else 1))
    if sure(answer) or not sure(cautious) or own[scores.best.index] < _CONTRADICTS:
        return alone
    return replace(changed, reason=Reason.TOGETHER)


def _likelihood(answers: Sequence[Orientation]) -> Floats:
    """``[n, 4]``: how much likelier each turn is than for a picture that says nothing."""
    import numpy as np

    scores = np.array([answer.scores.values for answer in answers])
    return 4 * ((1 - _DOUBT) * scores + _DOUBT / 4)


def _rare(answers: Sequence[Orientation]) -> NDArray[np.int64]:
    """1 for pictures of the rarer shape, landscape or portrait."""
    import numpy as np

    landscape = np.array([answer.width_px > answer.height_px for answer in answers])
    return (landscape if landscape.mean() <= 0.5 else ~landscape).astype(int)


def _chains(likelihood: Floats, rare: NDArray[np.int64], patterns: Sequence[Pattern]) -> tuple[Floats, Floats]:
    """For each pattern what the other pictures say of each one's turn, ``[h, n, 4]``, and its log marginal likelihood.

    Forward and backward through a chain of places (Rabiner 1989), for all patterns at once.
    """
    import numpy as np

    n = len(likelihood)
    shown = np.stack([p.shown for p in patterns])  # [h, shape, place, turn]
    seen = np.einsum("hist,it->his", shown[:, rare], likelihood) ** _WEIGHT
    step = np.stack([p.step for p in patterns])
    before, after = np.empty((len(patterns), n, 4)), np.empty((len(patterns), n, 4))
    evidence = np.log([p.weight for p in patterns])
    evidence -= np.log(np.exp(evidence).sum())
    place = np.full((len(patterns), 4), 0.25)
    for i in range(n):
        before[:, i] = place
        place = place * seen[:, i]
        total = place.sum(1, keepdims=True)
        evidence += np.log(total[:, 0])
        place = np.einsum("hs,hst->ht", place / total, step)
    place = np.ones((len(patterns), 4))
    for i in reversed(range(n)):
        after[:, i] = place
        place = np.einsum("hst,ht->hs", step, place * seen[:, i])
        place /= place.sum(1, keepdims=True)
    places = before * after
    places /= places.sum(2, keepdims=True)
    return np.einsum("his,hist->hit", places, shown[:, rare]), evidence


def _independent(likelihood: Floats) -> tuple[Floats, float]:
    """The same for independent pictures, whose shares of the four turns are learnt from all the others."""
    import numpy as np

    n = len(likelihood)
    part = np.full((n, 4), 0.25)
    for _ in range(20):
        # One picture of each turn is supposed before any is seen; three more upright, as most archives are.
        shares = part.sum(0) - part + np.array([2.0, 0.5, 0.5, 0.5])
        shares /= shares.sum(1, keepdims=True)
        part = shares * likelihood
        total = part.sum(1, keepdims=True)
        part = part / total
    # Three shares are learnt from the very pictures that they explain (Schwarz 1978).
    return shares, float(_WEIGHT * np.log(total).sum() - 1.5 * np.log(n) + np.log(_FREE))
