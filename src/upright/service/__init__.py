"""The HTTP service, for ``pip install "upright[serve]"``; see docs/service.md."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import UsageError

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def require_extra() -> None:
    """Raise `UsageError` with the install line where a package of the extra is missing."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"the service needs {', '.join(missing)}", remedy='pip install "upright[serve]"')
