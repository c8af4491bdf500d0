"""Sets photographs right in Immich (2.5 or newer) by its edits, which leave the original as it is.

Immich crops first, then applies the other edits in the order of their list; a rotation is clockwise. ``PUT`` replaces
the whole list, so it is read and merged first. https://api.immich.app/endpoints/assets
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from upright import ExifOrientation, SourceError, SourceMissing, Turn

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
        page: str | None = "1"
        while page:
            found = self._api.json("POST", "/api/search/metadata", {"type": "IMAGE", "page": int(page), "size": _PAGE})
            with self._api.understood():
                assets = [Asset(str(each["id"]), str(each["originalFileName"])) for each in found["assets"]["items"]]
                page = found["assets"]["nextPage"]
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

    def put_edits(self, asset: str, edits: Sequence[dict[str, Any]]) -> None:
        """Replace all edits; an empty list needs another request."""
        if edits:
            self._api.json("PUT", f"/api/assets/{asset}/edits", {"edits": list(edits)})
        else:
            self._api.bytes("DELETE", f"/api/assets/{asset}/edits")

    def change(self, picture: Asset, exif: ExifOrientation, wanted: Wanted, dry_run: bool) -> str:
        """By edits. A picture that somebody turned or mirrored in Immich is left as that person wanted it."""
        edits = self.edits(picture.uid)
        if any(edit["action"] != "crop" for edit in edits):
            return f"stays as it was edited in Immich (it would be {wanted})"
        if not dry_run:
            self.put_edits(picture.uid, merged(edits, wanted))
        return f"would be {wanted}" if dry_run else str(wanted)


def merged(edits: Sequence[dict[str, Any]], wanted: Wanted) -> list[dict[str, Any]]:
    """Edits that show the picture as these do and then as wanted.

    Raises:
        SourceError: there is an edit that upright does not know, which may not be lost.
    """
    crops, shown = [], ExifOrientation.TOP_LEFT
    for edit in edits:
        action, parameters = edit["action"], edit["parameters"]
        if action == "crop":
            crops.append({"action": action, "parameters": parameters})
        elif action == "rotate":
            shown = shown.then(Turn(int(parameters["angle"]) % 360))
        elif action == "mirror" and parameters["axis"] in ("horizontal", "vertical"):
            shown = ExifOrientation.compose(not shown.mirrored, shown.turn.inverse)
            shown = shown.then(Turn.HALF if parameters["axis"] == "vertical" else Turn.NONE)
        else:
            raise SourceError(f"it has an edit that upright does not know, {action!r}", remedy="turn it in Immich")
    shown = wanted.after(shown)
    mirror = [{"action": "mirror", "parameters": {"axis": "horizontal"}}] if shown.mirrored else []
    rotate = [{"action": "rotate", "parameters": {"angle": int(shown.turn)}}] if shown.turn else []
    return [*crops, *mirror, *rotate]
