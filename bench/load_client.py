"""A client for `bench/service.py`, in another process: plain sockets, so that it costs the machine little.

Prints one JSON object: for each status the latencies in seconds, from when a request was due to its whole answer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

_BOUNDARY = b"bench-boundary"


def request_of(picture: bytes) -> bytes:
    """A POST /rotate with the picture as its form's field."""
    body = b"".join(
        [
            b'--%s\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' % _BOUNDARY,
            picture,
            b"\r\n--%s--\r\n" % _BOUNDARY,
        ]
    )
    head = b"POST /rotate HTTP/1.1\r\nHost: bench\r\nContent-Type: multipart/form-data; boundary=%s\r\n" % _BOUNDARY
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Connection:
    """One keep-alive connection, opened again when the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """The status of the answer; 0 where the connection broke."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            if b"connection: close" in lines:
                self.drop()
            return int(lines[0].split()[1])
        except (OSError, asyncio.IncompleteReadError):
            self.drop()
            return 0

    async def leave(self, request: bytes) -> int:
        """Send all, and go without reading the answer."""
        self.drop()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(request)
            await writer.drain()
            writer.transport.abort()
        except OSError:
            pass
        return -1

    def drop(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def closed(port: int, requests: list[bytes], concurrency: int, seconds: float, count: int, drop: float):
    """So many clients, each of which asks again when it has its answer; for some time, or some number of requests.

    All requests come in every round, in another order: pictures cost up to fifteen times each other.
    """
    found: dict[int, list[float]] = defaultdict(list)
    until = time.perf_counter() + seconds
    chance = random.Random(7)
    left = count or 1 << 60
    rounds = (request for _ in itertools.count() for request in chance.sample(requests, len(requests)))

    async def one(number: int) -> None:
        nonlocal left
        connection = Connection(port)
        while left > 0 and time.perf_counter() < until:
            left -= 1
            request = next(rounds)
            started = time.perf_counter()
            status = await (connection.leave(request) if chance.random() < drop else connection.ask(request))
            found[status].append(time.perf_counter() - started)
        connection.drop()

    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(concurrency)))
    return found, time.perf_counter() - started


async def paced(port: int, requests: list[bytes], rate: float, seconds: float):
    """Requests that come whether or not the earlier ones are answered, as from many independent clients."""
    found: dict[int, list[float]] = defaultdict(list)
    idle: list[Connection] = []
    tasks: set[asyncio.Task[None]] = set()
    started = time.perf_counter()

    async def one(due: float, request: bytes) -> None:
        connection = idle.pop() if idle else Connection(port)
        status = await connection.ask(request)
        found[status].append(time.perf_counter() - due)
        idle.append(connection)

    for number in range(int(rate * seconds)):
        due = started + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(time.perf_counter(), requests[number % len(requests)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for connection in idle:
        connection.drop()
    return found, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--drop", type=float, default=0.0)
    asked = parser.parse_args()
    requests = [request_of(path.read_bytes()) for path in asked.files]
    if asked.rate:
        load = paced(asked.port, requests, asked.rate, asked.seconds)
    else:
        load = closed(asked.port, requests, asked.concurrency, asked.seconds, asked.count, asked.drop)
    found, wall = asyncio.run(load)
    json.dump({"wall_s": wall, "latencies_s": {str(status): times for status, times in found.items()}}, sys.stdout)


if __name__ == "__main__":
    main()
