"""The answers of the service, as models of the OpenAPI document; `tests/service` checks real answers against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..results import Group, Method, Promise, Reason

Turn = Literal[0, 90, 180, 270]


class Answer(BaseModel):
    """A model that forbids fields that are not described."""

    model_config = ConfigDict(extra="forbid", title=None)


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str = Field(description="urn:upright: and the kind of error; about:blank where the status says it all.")
    title: str
    status: int
    detail: str = Field(description="What failed and why.")
    remedy: str = Field("", description="What to do.")
    source: str = Field("", description="Which picture failed, where there are several.")
    request_id: str = ""
    error: str = Field("", description="Detail and remedy in one text, for clients of the v2 protocol.")


class Angle(Answer):
    """The answer of ``/rotate``."""

    suggested_angle: Turn = Field(
        description="Clockwise turn that makes the picture upright; if unsure the best guess."
    )


class Together(Answer):
    """What a picture was alone, and how the job lies that it was decided with."""

    pattern: str = Field(description="How the job lies, in words.")
    pictures: int = Field(description="How many pictures the job has.")
    turn: Turn | None = Field(description="The answer when it was alone.")
    confidence: float
    scores: list[float]


class Orientation(Answer):
    """Which way up a picture belongs."""

    turn: Turn | None = Field(description="Clockwise turn that makes it upright; null: unsure, leave it alone.")
    best: Turn = Field(description="The likeliest turn, sure or not.")
    confidence: float = Field(ge=0, le=1, description="Calibrated probability that `best` is right.")
    scores: list[float] = Field(min_length=4, max_length=4, description="Probabilities of turn 0, 90, 180, 270.")
    reason: Reason
    promise: Promise
    step: str = Field(description="The last step of the ladder that was taken.")
    views: int = Field(description="How many views of the picture the model was shown.")
    source: str = Field(description="The file name that was sent.")
    format: str
    width_px: int = Field(description="Width as shown, its EXIF orientation applied.")
    height_px: int
    exif: int = Field(ge=1, le=8, description="The file's EXIF orientation.")
    page: int
    pages: int
    warnings: list[str]
    timing_s: dict[str, float] = Field(description="Seconds by stage.")
    tilt: float | None = Field(
        None, ge=-20, le=20, description="Where asked for: degrees clockwise that straighten it after the turn."
    )
    tilt_error: float | None = Field(None, ge=0, description="The standard error of `tilt`.")
    mirrored: bool | None = Field(
        None, description="Where asked for: whether left and right are exchanged, to be undone before the turn."
    )
    together: Together | None = Field(None, description="Where it was decided with others: what it was alone.")


class Results(Answer):
    """One entry for each file of a form, in its order."""

    results: list[Orientation | Problem]


class Correction(Answer):
    """What was done to a file."""

    source: str
    target: str
    method: Method
    turn: Turn
    exif_before: int = Field(ge=1, le=8)
    exif_after: int = Field(ge=1, le=8)
    lossless: bool
    written: bool
    note: str
    remedy: str
    tilt: float = Field(description="Degrees clockwise that it was straightened by, after the turn.")


class JobLine(Orientation):
    """A line of a job's results where a picture was decided."""

    number: int = Field(description="Place of the picture in the job, from 0.")
    name: str
    outcome: Group = Field(description="What became of it.")
    correction: Correction | None = None


class JobProblem(Problem):
    """A line of a job's results where a picture failed."""

    number: int
    name: str
    outcome: Group = Field(description="failed, or cannot be turned.")


class Job(Answer):
    """The state of a job."""

    id: str
    state: Literal["waiting", "running", "done"]
    pictures: int
    done: int = Field(description="Pictures that are decided.")
    outcomes: dict[Group, int] = Field(description="How many of their pages became what.")
    created: float = Field(description="Seconds since 1970.")
    finished: float | None
    files: bool = Field(description="Whether corrected files can be fetched when it is done.")


class Engine(Answer):
    """What runs the model."""

    name: str
    device: str


class ModelFacts(BaseModel):
    """What ``model.json`` says, and the engine."""

    name: str
    version: str
    sha256: str
    int8_sha256: str | None
    licence: str
    input_size_px: int
    turns: list[Turn]
    calibration: dict[str, dict[str, float | None]]
    metrics: dict[str, Any]
    engine: Engine


class Status(Answer):
    """Whether a process lives, or takes requests."""

    status: Literal["ok", "ready", "stopping", "unusable"]
    jobs: str = Field("", description="What is wrong with the jobs file.")
