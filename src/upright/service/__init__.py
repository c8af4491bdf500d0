"""The HTTP service, for which the extra ``serve`` is installed; see docs/service.md."""

from __future__ import annotations

from ..extras import need


def require_extra() -> None:
    """Raise `ExtraMissing` with the install line where a package of the extra is missing."""
    for module in ("fastapi", "uvicorn", "python_multipart", "prometheus_client"):
        need(module, "serve")
