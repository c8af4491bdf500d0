"""Packages that only some uses need: imported when they are used, and named with their install line when missing."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import ExtraMissing

#: The folder of a clone that upright runs from; of an installed package the folder above ``site-packages``.
_CLONE = Path(__file__).parents[2]


def need(module: str, extra: str, *, source: object = None, remedy: str = "") -> Any:
    """The module, imported. ``extra`` is the extra that installs it, "" for what every install has.

    ``source`` is the file that needs it, ``remedy`` replaces the install line where that alone does not help.

    Raises:
        ExtraMissing: it is not installed, or it cannot be imported.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        cause = f"{(error.name or module).partition('.')[0]} is not installed"
        raise ExtraMissing(cause, source=source, remedy=remedy or install_line(extra)) from error
    except ImportError as error:
        cause = f"{module} is installed and cannot be imported: {error}"
        raise ExtraMissing(cause, source=source, remedy=remedy or "install it again; see `upright doctor`") from error


def install_line(extra: str) -> str:
    """The command that installs an extra here: in a clone from the clone, by the pip of the Python that runs."""
    here = shutil.which("pip")
    pip = "pip" if here and Path(here).parent == Path(sys.executable).parent else f"{sys.executable} -m pip"
    wanted = "upright"
    if in_clone := (_CLONE / "pyproject.toml").is_file():
        wanted = "." if Path.cwd() == _CLONE else str(_CLONE)
    return f"{pip} install {'--editable ' * in_clone}{shlex.quote(f'{wanted}[{extra}]' if extra else wanted)}"
