"""Sets photographs right in PhotoPrism, which writes the EXIF orientation into the file and indexes it again.

https://docs.photoprism.dev: ``PUT /api/v1/photos/{uid}/files/{fileuid}/orientation`` takes the new EXIF value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from upright import ExifOrientation

from .http import Api
from .photos import Wanted

#: Files of one page of the search: it counts these, and merges those of a photo afterwards.
_PAGE = 500


class PrimaryFile(NamedTuple):
    """The file that PhotoPrism shows for a photo."""

    photo: str
    uid: str
    hash: str
    name: str


class PhotoPrism:
    """PhotoPrism's HTTP interface. ``token`` is an app password, or an access token of a session."""

    def __init__(self, address: str, token: str) -> None:
        remedy = "make an app password in Settings, Account, with access to photos and files"
        self._api = Api(
            address, "PhotoPrism", {"Authorization": f"Bearer {token}", "Accept": "application/json"}, remedy
        )
        self._download = ""

    def pictures(self) -> Iterator[PrimaryFile]:
        """The shown file of each photo."""
        offset = 0
        while True:
            path = f"/api/v1/photos?count={_PAGE}&offset={offset}&merged=true&quality=0&q=type%3Aimage"
            found, headers = self._api.json_and_headers("GET", path)
            self._download = headers.get("X-Download-Token") or self._download
            with self._api.understood():
                files = [_file(photo, each) for photo in found for each in photo["Files"] if each.get("Primary")]
                rows = sum(len(photo["Files"]) for photo in found)
            yield from files
            if rows < _PAGE:
                return
            offset += _PAGE

    def shown(self, file: PrimaryFile) -> bytes:
        """The file's bytes."""
        return self._api.bytes("GET", f"/api/v1/dl/{file.hash}?t={self._download}")[0]

    def change(self, file: PrimaryFile, exif: ExifOrientation, wanted: Wanted, dry_run: bool) -> str:
        """By the EXIF orientation. What the file says counts: the index may be older."""
        after = wanted.after(exif)
        if not dry_run:
            path = f"/api/v1/photos/{file.photo}/files/{file.uid}/orientation"
            self._api.json("PUT", path, {"Orientation": int(after)})
        return f"{'would be ' * dry_run}{wanted} (EXIF {int(exif)} to {int(after)})"


def _file(photo: dict[str, Any], file: dict[str, Any]) -> PrimaryFile:
    return PrimaryFile(photo["UID"], file["UID"], file["Hash"], file.get("Name") or file["UID"])
