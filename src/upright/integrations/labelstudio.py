"""Pictures that upright is unsure of, as tasks for Label Studio, and the decisions that people made there.

`tasks` takes the lines of ``upright detect --json`` and gives Label Studio's import format with predictions;
`decisions` takes its JSON export. Both are plain JSON, so Label Studio need not be installed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from upright import Turn, UsageError
from upright.errors import MALFORMED

#: The labelling interface that the tasks belong to: paste it under *Settings, Labeling Interface, Code*.
INTERFACE = """\
<View>
  <Image name="image" value="$image"/>
  <Choices name="turn" toName="image" choice="single" required="true">
    <Choice value="upright" hotkey="1"/>
    <Choice value="turn right" hotkey="2"/>
    <Choice value="turn over" hotkey="3"/>
    <Choice value="turn left" hotkey="4"/>
    <Choice value="no way up" hotkey="5"/>
  </Choices>
</View>
"""
_CHOICES = {"upright": Turn.NONE, "turn right": Turn.RIGHT, "turn over": Turn.HALF, "turn left": Turn.LEFT}
_NO_WAY_UP = "no way up"
_WORDS = {turn: words for words, turn in _CHOICES.items()}


def tasks(answers: Iterable[dict[str, Any]], address_of: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """A task for each answer that upright is unsure of; its likeliest turn is the prediction.

    Args:
        answers: objects of ``upright detect --json``.
        address_of: the address under which Label Studio finds a source's picture.
    """
    for answer in answers:
        if answer.get("turn", 0) is not None:
            continue
        choice = {"choices": [_WORDS[Turn(answer["best"])]]}
        result = {"from_name": "turn", "to_name": "image", "type": "choices", "value": choice}
        yield {
            "data": {"image": address_of(answer["source"]), "source": answer["source"]},
            "predictions": [{"model_version": "upright", "score": answer["confidence"], "result": [result]}],
        }


def decisions(export: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """``{"source": …, "turn": 0 … 270 | None}`` for each task of an export that a person answered.

    ``None`` is a picture without a way up. The newest answer counts; skipped tasks are left out. Raises UsageError for
    what is no export of these tasks.
    """
    for number, task in enumerate(export, 1):
        try:
            made = [each for each in task["annotations"] if not each.get("was_cancelled") and each["result"]]
            if not made:
                continue
            newest = max(made, key=lambda each: str(each.get("updated_at", "")))
            (word,) = next(each["value"]["choices"] for each in newest["result"] if each["from_name"] == "turn")
            turn = None if word == _NO_WAY_UP else int(_CHOICES[word])
            yield {"source": task["data"]["source"], "turn": turn}
        except (StopIteration, *MALFORMED) as error:
            cause = f"task {number} is none of these tasks ({error!r})"
            raise UsageError(
                cause, remedy="export as JSON from the project that the tasks were imported into"
            ) from None
