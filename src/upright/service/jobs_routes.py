"""Routes of jobs: many pictures now, the answers later."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from ..correction import Edge
from ..errors import UprightError
from ..results import Method, Promise
from ..turns import Fill
from . import answers
from .access import access
from .archive import zip_stream
from .forms import Form, Sink, check_field, is_form
from .jobs import Jobs
from .openapi import errors, header, takes
from .pictures import Effort, check_how
from .problems import NotHere, NotYet, Refused, WrongType
from .runner import Ask
from .spool import Spool
from .state import state_of

router = APIRouter(tags=["jobs"], responses=errors(404))

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
#: Long enough to be nobody else's by chance: without API keys all clients share them.
IdempotencyKey = Annotated[str | None, Header(pattern=r"^[!-~]{16,100}$")]
_TAR_TYPES = ("application/x-tar", "application/tar")


class LinesResponse(StreamingResponse):
    """One JSON object a line; the OpenAPI document describes a line."""

    media_type = "application/x-ndjson"


class ZipResponse(StreamingResponse):
    """A zip archive."""

    media_type = "application/zip"


def _jobs(request: Request) -> Jobs:
    jobs = state_of(request).jobs
    if jobs is None:
        raise NotHere("this service takes no jobs", remedy="start it with --jobs FILE")
    return jobs


@router.post(
    "/v1/jobs",
    status_code=202,
    openapi_extra=takes("files", _TAR_TYPES[0]),
    responses=errors(507) | {202: {"model": answers.Job, "headers": {"Location": header("Where the job is.")}}},
)
@access(lane="uploads")
async def start_job(
    request: Request,
    promise: Promise | None = None,
    effort: Effort = None,
    correct: bool = False,
    method: Method | None = None,
    edge: Edge = "tag",
    pixels: bool = False,
    tilt: bool = False,
    mirror: bool = False,
    straighten: Fill | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Take a form of files, or an uncompressed tar (`application/x-tar`). With `correct` the files are set right.

    Of documents all pages are decided, and corrected by one change of the file. `pixels` and `straighten` are those of
    `/v1/correct`. A client that got no answer sends the same again with the same `Idempotency-Key`: where the job was
    accepted it is answered as then, and is not done twice.
    """
    jobs, settings = _jobs(request), state_of(request).settings
    state_of(request).runner.allowed(Ask(effort=effort))
    how = {"method": method, "edge": edge != "tag", "pixels": pixels, "straighten": straighten}
    if not correct and (idle := [name for name, value in how.items() if value]):
        remedy = f"send correct=true too, or leave {idle[0]} out"
        raise Refused(f"{idle[0]} says how files are corrected, and this job corrects none", remedy=remedy)
    check_how(method, edge, pixels, straighten)
    if jobs.store.trouble is not None:
        await jobs.call(jobs.store.check)
    if jobs.store.trouble is not None:
        raise jobs.store.trouble
    ask = {
        "promise": promise and promise.value, "effort": effort, "correct": correct,
        "method": method and method.value, "edge": edge,
        "pixels": pixels, "tilt": tilt or straighten is not None, "straighten": straighten, "mirror": mirror,
        "key": idempotency_key,
    }  # fmt: skip
    owner = request.scope["key_name"]
    if job := await jobs.call(jobs.store.known, owner, ask):
        status = await jobs.call(jobs.store.status, job, owner)
    else:
        spool = Spool(jobs.store.folder, settings.job_pictures, settings.job_picture_mb, settings.job_mb)
        try:
            await _receive(request, jobs, spool, settings.job_pictures)
            status = await _accepted(jobs, owner, ask, spool)
        except BaseException:
            await jobs.call(spool.close)
            raise
    return JSONResponse(status, 202, {"Location": f"/v1/jobs/{status['id']}"})


async def _accepted(jobs: Jobs, owner: str, ask: dict[str, Any], spool: Spool) -> dict[str, Any]:
    """The status of the job that is made of an upload, once it is accepted.

    Of a request that ends meanwhile none is left, unless its client can ask for it by its key.
    """

    def added() -> dict[str, Any]:
        try:
            return jobs.store.status(jobs.store.add(owner, ask, spool.pictures()), owner)
        finally:
            spool.close()

    adding = asyncio.ensure_future(jobs.call(added))
    try:
        status = await asyncio.shield(adding)
    except asyncio.CancelledError:
        await jobs.call(spool.close)  # so that what is still read ends
        with suppress(UprightError):
            status = await adding
            if not ask["key"]:
                await jobs.call(jobs.store.delete, status["id"], owner)
        raise
    jobs.wake()
    return status


async def _receive(request: Request, jobs: Jobs, spool: Spool, max_pictures: int) -> None:
    """Write the body to disk in a thread, chunk by chunk."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() in _TAR_TYPES:
        async for chunk in request.stream():
            await jobs.call(spool.write, chunk)
        await jobs.call(spool.index_tar)
        return
    if not is_form(request):
        raise WrongType(f"the content type is {content_type!r}", remedy="send multipart/form-data or application/x-tar")

    def begin(field: str, filename: str | None) -> Sink:
        check_field(field, "files")
        if filename is None:
            raise Refused(f"the field {field!r} is not a file", remedy="send each picture with a filename")
        spool.begin(filename)
        return spool.write

    form = Form(content_type, begin, max_pictures + 1, "--job-pictures")
    async for chunk in request.stream():
        await jobs.call(form.feed, chunk)
    form.close()


@router.get("/v1/jobs/{job}", responses={200: {"model": answers.Job}})
async def job_status(request: Request, job: JobId) -> Response:
    """State (`waiting`, `running`, `done`) and counts."""
    jobs = _jobs(request)
    return JSONResponse(await jobs.call(jobs.store.status, job, request.scope["key_name"]))


@router.get(
    "/v1/jobs/{job}/results",
    response_class=LinesResponse,
    responses={200: {"model": answers.JobLine | answers.JobProblem}},
)
async def job_results(request: Request, job: JobId) -> Response:
    """One JSON object a line for each page of what is done, in the order sent: an Orientation or a problem."""
    jobs = _jobs(request)
    await jobs.call(jobs.store.status, job, request.scope["key_name"])
    lines = (
        json.dumps({"number": number, "name": name} | result) + "\n" for number, name, result in jobs.store.results(job)
    )
    return LinesResponse(lines)


@router.get("/v1/jobs/{job}/files", response_class=ZipResponse, responses=errors(409))
async def job_files(request: Request, job: JobId) -> Response:
    """A zip of the corrected files, when all are done."""
    jobs = _jobs(request)
    status = await jobs.call(jobs.store.status, job, request.scope["key_name"])
    if not status["files"]:
        raise NotYet("this job makes no files", remedy="start it with correct=true")
    if status["state"] != "done":
        raise NotYet(f"{status['done']} of {status['pictures']} pictures are done", remedy="come back when all are")
    headers = {"Content-Disposition": 'attachment; filename="corrected.zip"'}
    return ZipResponse(zip_stream(jobs.store, job), headers=headers)


@router.delete("/v1/jobs/{job}", status_code=204)
async def delete_job(request: Request, job: JobId) -> Response:
    """Forget a job and its results, whatever its state."""
    jobs = _jobs(request)
    await jobs.call(jobs.store.delete, job, request.scope["key_name"])
    return Response(status_code=204)
