"""Routes of pictures: which way up they belong, and the files set right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from .. import results
from ..correction import Edge, corrected_bytes
from ..correction import Request as Wanted
from ..decide import efforts
from ..errors import UprightError
from ..formats import HEAD_BYTES, sniff
from ..results import Correction, Group, Method, Outcome, Promise, Reason
from ..turns import Fill, Turn
from . import answers
from .forms import is_form, read_form, read_pictures
from .openapi import BINARY, header, takes
from .problems import Refused, by_request, problem
from .runner import Ask, while_connected
from .state import state_of
from .trace import trace_of

router = APIRouter(tags=["pictures"])

Page = Annotated[int, Query(ge=0, le=1_000_000)]
Effort = Annotated[int | None, Query(ge=0, le=efforts()[-1])]


class BytesResponse(Response):
    """A file's bytes."""

    media_type = "application/octet-stream"


#: Types of what is sent back, by the names of formats; any other is octets.
_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
    "JPEG2000": "image/jp2",
    "JXL": "image/jxl",
    "PDF": "application/pdf",
}
_DECIDED = {
    "X-Upright-Turn": header("The likeliest turn.", enum=["0", "90", "180", "270"]),
    "X-Upright-Confidence": header("Its confidence.", pattern=r"^[01]\.\d{4}$"),
    "X-Upright-Outcome": header("What became of the picture.", enum=[group.value for group in Group]),
    "X-Upright-Mirrored": header("1 where left and right are exchanged, which is undone before the turn.", enum=["1"]),
    "X-Upright-Unsure": header("1 where the confidence is too low: leave the picture alone.", enum=["1"]),
}
_CORRECTED = {
    "X-Upright-Method": header("What was done.", enum=[method.value for method in Method]),
    "X-Upright-Lossless": header("1 where no pixel has changed.", enum=["0", "1"]),
    "Content-Disposition": header("The name that the file came with."),
    "X-Upright-Note": header("A remark; where nothing was done the reason, and what to do."),
}


def headers_of(orientation: results.Orientation) -> dict[str, str]:
    """The headers that tell an orientation beside other content."""
    headers = {"X-Upright-Turn": str(int(orientation.best)), "X-Upright-Confidence": f"{orientation.confidence:.4f}"}
    headers["X-Upright-Outcome"] = Outcome("", orientation).group
    headers |= {"X-Upright-Mirrored": "1"} if orientation.mirrored else {}
    return headers | ({"X-Upright-Unsure": "1"} if orientation.unsure else {})


def check_how(method: Method | None, edge: Edge, pixels: bool, straighten: Fill | None) -> None:
    """Raise `UprightError` where what says how a file is corrected contradicts itself, or counts for nothing."""
    Wanted(method=method, edge=edge, pixels=pixels, straighten=straighten)
    if edge != "tag" and not pixels and method is not Method.TURN:
        raise Refused("edge says what method=turn does", remedy="send method=turn or pixels=true too, or leave it out")


@router.post("/rotate", openapi_extra=takes("image"), responses={200: {"model": answers.Angle, "headers": _DECIDED}})
async def rotate(request: Request) -> Response:
    """`suggested_angle` is the clockwise turn that makes the picture upright; when unsure, the best guess."""
    state, trace = state_of(request), trace_of(request)
    parts = await read_form(request, "image", state.settings.max_pictures)
    if len(parts) != 1:
        raise Refused(f"the form has {len(parts)} fields 'image'", remedy="send one picture as the field 'image'")
    name, data = parts[0]
    if name is None and not sniff(data[:HEAD_BYTES]):
        raise Refused("the form field 'image' is text, not a file", remedy="send the file itself: curl -F image=@FILE")
    orientation = await while_connected(request.receive, state.runner.orient(data, name or "", Ask(), trace))
    return JSONResponse({"suggested_angle": int(orientation.best)}, headers=headers_of(orientation))


@router.post(
    "/v1/orientation",
    openapi_extra=takes("files", "application/octet-stream"),
    responses={200: {"model": answers.Orientation | answers.Results, "headers": _DECIDED}},
)
async def orientation(
    request: Request,
    promise: Promise | None = None,
    effort: Effort = None,
    page: Page = 0,
    tilt: bool = False,
    mirror: bool = False,
) -> Response:
    """The whole answer: an object for a raw body; for a form `{"results": […]}`, one object or problem a file."""
    state, trace = state_of(request), trace_of(request)
    ask = state.runner.allowed(Ask(promise, page, tilt, mirror, effort))
    pictures = await read_pictures(request, state.settings.max_pictures)
    if not is_form(request):
        name, data = pictures[0]
        answer = await while_connected(request.receive, state.runner.orient(data, name, ask, trace))
        return JSONResponse(answer.to_dict(), headers=headers_of(answer))
    found = await while_connected(request.receive, state.runner.orient_many(pictures, ask, trace))
    return JSONResponse({"results": [problem(e) if isinstance(e, UprightError) else e.to_dict() for e in found]})


@router.post(
    "/v1/correct",
    openapi_extra=takes("files", "application/octet-stream"),
    response_class=BytesResponse,
    responses={
        200: {
            "headers": _DECIDED | _CORRECTED,
            "content": {kind: {"schema": BINARY} for kind in (*_TYPES.values(), BytesResponse.media_type)},
        }
    },
)
async def correct(
    request: Request,
    promise: Promise | None = None,
    effort: Effort = None,
    page: Page = 0,
    method: Method | None = None,
    turn: Annotated[Literal["0", "90", "180", "270"] | None, Query()] = None,
    edge: Edge = "tag",
    pixels: bool = False,
    mirror: bool = False,
    straighten: Fill | None = None,
) -> Response:
    """The corrected file, with its type and, from a form, its name. When unsure the file comes back as it was.

    With `turn` nothing is decided. `mirror` also undoes that left and right are exchanged, where text tells it. With
    `straighten` what is tilted is resampled: `crop` cuts the corners off that it leaves, `white` and `edge` fill.
    """
    state, trace = state_of(request), trace_of(request)
    ask = state.runner.allowed(Ask(promise, page, straighten is not None, mirror, effort))
    if turn is not None and ask != Ask(page=page):
        cause = "turn decides by hand, and promise, effort, mirror and straighten need a decision"
        raise Refused(cause, remedy="leave turn or these out")
    check_how(method, edge, pixels, straighten)
    pictures = await read_pictures(request, state.settings.max_pictures)
    if len(pictures) != 1:
        raise Refused(f"the form has {len(pictures)} files", remedy="send one; /v1/jobs takes many")
    name, data = pictures[0]
    headers: dict[str, str] = {}

    async def work() -> bytes:
        wanted: Turn | results.Orientation
        if turn is None:
            wanted = await state.runner.orient(data, name, ask, trace)
            headers.update(headers_of(wanted))
        else:
            wanted = Turn(int(turn))
        how: Any = {"page": page, "pixels": pixels, "straighten": straighten, "limits": state.detector.limits}
        correcting = partial(corrected_bytes, data, wanted, method, edge, **how)
        new, done = await state.runner.call(trace, "write", correcting)
        headers.update(_headers_of_correction(wanted, done))
        return new

    new = await while_connected(request.receive, work())
    if called := PurePosixPath(name).name:
        headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(called, safe='')}"
    return BytesResponse(new, headers=headers, media_type=_TYPES.get(sniff(new[:HEAD_BYTES])))


def _headers_of_correction(wanted: Turn | results.Orientation, done: Correction) -> dict[str, str]:
    """What was done and why; of a file that comes back as it was the reason, and what to do."""
    note, remedy, why = done.note, by_request(done.remedy), "turn=0 asks for no turn"
    if isinstance(wanted, results.Orientation):
        why = "it is upright already"
        group = Outcome("", wanted, correction=replace(done, written=True)).group
        if group is Group.UNSURE:
            guess = ", or by the best guess with promise=best" * (wanted.reason is not Reason.BLANK)
            remedy = remedy or f"turn it by hand with turn={guess}"
    else:
        group = Group.UPRIGHT if not wanted else Group.CANNOT if done.method is Method.KEEP else Group.TURNED
    if group is Group.UPRIGHT and done.method is Method.KEEP:
        note = note or why
    headers = {"X-Upright-Method": done.method.value, "X-Upright-Lossless": "1" if done.lossless else "0"}
    headers["X-Upright-Outcome"] = group
    if text := "; ".join(filter(None, (note, remedy))):
        headers["X-Upright-Note"] = text.encode("ascii", "backslashreplace").decode()
    return headers
