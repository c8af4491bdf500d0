"""Sets photographs right in Immich (2.5 or newer) by its edits, which leave the original as it is.

Immich crops first, then applies the other edits in the order of their list; a rotation is clockwise. ``PUT`` replaces
the whole list, so it is read first. https://api.immich.app/endpoints/assets
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from upright import ExifOrientation, SourceError, SourceMissing

from .http import Api
from .photos import Wanted

#: Assets of one page of the search; Immich allows at most 1,000.
_PAGE = 250


class Asset(NamedTuple):
    """A picture: its id and file name."""

    uid: str
    name: str


class Immich:
    """Immich's HTTP interface. The key needs ``asset.read``, ``asset.view`` and ``assetEdit`` get, create, delete."""

    def __init__(self, address: str, key: str) -> None:
        remedy = "make a key with asset.read, asset.view and the asset edit permissions"
        self._api = Api(address, "Immich", {"x-api-key": key, "Accept": "application/json"}, remedy)

    def pictures(self) -> Iterator[Asset]:
        """Each picture of the key's owner."""
        page = 1
        while page:
            found = self._api.json("POST", "/api/search/metadata", {"type": "IMAGE", "page": page, "size": _PAGE})
            with self._api.understood():
                assets = [Asset(str(each["id"]), str(each["originalFileName"])) for each in found["assets"]["items"]]
                page = int(found["assets"]["nextPage"] or 0)
            yield from assets

    def shown(self, picture: Asset) -> bytes:
        """The picture as Immich shows it, some 1,440 pixels large."""
        return self._api.bytes("GET", f"/api/assets/{picture.uid}/thumbnail?size=preview")[0]

    def edits(self, asset: str) -> list[dict[str, Any]]:
        """The edits that the picture has. Raises SourceError before Immich 2.5."""
        try:
            found = self._api.json("GET", f"/api/assets/{asset}/edits")
        except SourceMissing as error:
            remedy = "Immich 2.5 or newer is needed"
            raise SourceError("Immich has no edits here", source=error.source, remedy=remedy) from None
        with self._api.understood():
            return [{"action": each["action"], "parameters": dict(each["parameters"])} for each in found["edits"]]

    def change(self, picture: Asset, exif: ExifOrientation, wanted: Wanted, dry_run: bool) -> str:
        """By edits. A picture that somebody turned or mirrored in Immich is left as that person wanted it."""
        edits = self.edits(picture.uid)
        if any(edit["action"] != "crop" for edit in edits):
            return f"stays as it was edited in Immich (it would be {wanted})"
        if not dry_run:
            mirror = [{"action": "mirror", "parameters": {"axis": "horizontal"}}] * wanted.mirrored
            rotate = [{"action": "rotate", "parameters": {"angle": int(wanted.turn)}}] * bool(wanted.turn)
            self._api.json("PUT", f"/api/assets/{picture.uid}/edits", {"edits": [*edits, *mirror, *rotate]})
        return f"would be {wanted}" if dry_run else str(wanted)
