"""Routes of jobs: many pictures now, the answers later."""

from __future__ import annotations

import posixpath
import time
import zipfile
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from ..correct import Edge
from ..errors import Overloaded
from ..results import Method, Promise
from .bodies import Form
from .jobs import Jobs, Spool
from .jobs_store import JobsStore
from .problems import NotHere, NotYet, Refused, WrongType
from .routes import Flow, body, json_line, service_of

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_TAR_TYPES = ("application/x-tar", "application/tar")
_UPLOADS = 4


class LinesResponse(StreamingResponse):
    """One JSON object a line."""

    media_type = "application/x-ndjson"


class ZipResponse(StreamingResponse):
    """A zip archive."""

    media_type = "application/zip"


def _jobs(request: Request) -> Jobs:
    jobs = service_of(request).jobs
    if jobs is None:
        raise NotHere("this service takes no jobs", remedy="start it with --jobs FILE")
    return jobs


_TAR = {"content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}}
_BODY = body(raw=False)
_BODY["requestBody"]["content"] |= _TAR["content"]


@router.post("/v1/jobs", status_code=202, openapi_extra=_BODY)
async def start_job(
    request: Request,
    promise: Promise | None = None,
    flow: Flow | None = None,
    correct: bool = False,
    method: Method | None = None,
    edge: Edge = "tag",
) -> Response:
    """Take a form of files, or an uncompressed tar (`application/x-tar`). With `correct` the files are set right."""
    jobs = _jobs(request)
    settings = service_of(request).settings
    if jobs.uploads >= _UPLOADS:
        raise Overloaded(f"{_UPLOADS} jobs are being sent already", retry_after_s=5)
    jobs.uploads += 1
    try:
        spool = Spool(jobs.store, settings.job_pictures)
        with spool.file:
            await _receive(request, jobs, spool, settings.job_pictures)
            ask = {
                "promise": promise and promise.value, "flow": flow, "correct": correct,
                "method": method and method.value, "edge": edge,
            }  # fmt: skip
            job = await jobs.call(jobs.store.add, request.scope["key_name"], ask, spool.pictures())
    finally:
        jobs.uploads -= 1
    jobs.wake()
    status = await jobs.call(jobs.store.status, job, request.scope["key_name"])
    return JSONResponse(status, 202, {"Location": f"/v1/jobs/{job}"})


async def _receive(request: Request, jobs: Jobs, spool: Spool, max_pictures: int) -> None:
    """Write the body to disk in a thread, chunk by chunk."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() in _TAR_TYPES:
        async for chunk in request.stream():
            await jobs.call(spool.write, chunk)
        await jobs.call(spool.index_tar)
        return
    if not content_type.startswith("multipart/"):
        raise WrongType(f"the content type is {content_type!r}", remedy="send multipart/form-data or application/x-tar")

    def begin(field: str, filename: str | None) -> Spool:
        if filename is None:
            raise Refused(f"the field {field!r} is not a file", remedy="send each picture with a filename")
        spool.begin(filename)
        return spool

    form = Form(content_type, begin, max_pictures + 1)
    async for chunk in request.stream():
        await jobs.call(form.feed, chunk)
    form.close()


@router.get("/v1/jobs/{job}")
async def job_status(request: Request, job: JobId) -> Response:
    """State (`waiting`, `running`, `done`) and counts."""
    jobs = _jobs(request)
    return JSONResponse(await jobs.call(jobs.store.status, job, request.scope["key_name"]))


@router.get("/v1/jobs/{job}/results", response_class=LinesResponse)
async def job_results(request: Request, job: JobId) -> Response:
    """One JSON object a line for each picture that is done, in the order sent: an Orientation or a problem."""
    jobs = _jobs(request)
    await jobs.call(jobs.store.status, job, request.scope["key_name"])
    lines = (json_line({"number": number, "name": name} | result) for number, name, result in jobs.store.results(job))
    return LinesResponse(lines)


@router.get("/v1/jobs/{job}/files", response_class=ZipResponse)
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


class _Outlet:
    """A file that cannot seek, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...


def zip_stream(store: JobsStore, job: str) -> Iterator[bytes]:
    """A zip of a job's files, one at a time in memory; stored, because pictures are compressed already."""
    outlet = _Outlet()
    used: set[str] = set()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for number, name, data in store.files(job):
            safe = safe_name(name, number)
            safe = f"{number}-{posixpath.basename(safe)}" if safe.lower() in used else safe
            used.add(safe.lower())
            archive.writestr(zipfile.ZipInfo(safe, time.gmtime()[:6]), data)
            yield b"".join(outlet.chunks)
            outlet.chunks.clear()
    yield b"".join(outlet.chunks)


def safe_name(name: str, number: int) -> str:
    """A relative path that stays inside the folder where it is unpacked, on any system."""
    kept = [p for p in name.replace("\\", "/").split("/") if p.strip(" .")]
    clean = ["".join("_" if c in '<>:"|?*' or not c.isprintable() else c for c in part) for part in kept]
    return "/".join(clean).encode("utf-8", "replace").decode() or f"picture-{number}"
