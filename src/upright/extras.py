"""Packages that only some uses need: imported when they are used, and named with their install line when missing."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_path
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
    """The command that installs an extra here: in a clone from the clone, with the installer of this environment."""
    wanted = "upright"
    if in_clone := (_CLONE / "pyproject.toml").is_file():
        wanted = "." if Path.cwd() == _CLONE else str(_CLONE)
    what = shlex.quote(f"{wanted}[{extra}]" if extra else wanted)
    return f"{_installer()} {'--editable ' * in_clone}{what}"


def package_line(package: str) -> str:
    """The command that installs another package here."""
    return f"{_installer()} {shlex.quote(package)}"


def gpu_line() -> str:
    """The command that makes ONNX Runtime use an NVIDIA GPU here, whatever is installed now.

    upright needs ``onnxruntime``, so both packages are installed, into one folder: the GPU's files have to be the last.
    """
    again = _installer().rpartition("&& ")[2]  # without ensurepip, which the first half has run
    return f"{install_line('gpu')} && {again} --force-reinstall --no-deps onnxruntime-gpu"


def _installer() -> str:
    """``… install`` for the environment that runs: pipx, uv, or the pip that belongs to this Python."""
    prefix, python = Path(sys.prefix), shlex.quote(sys.executable)
    if (prefix / "pipx_metadata.json").is_file():
        return f"pipx runpip {shlex.quote(prefix.name)} install"
    if find_spec("pip") is None:  # `uv tool install` and `uv venv` bring none
        uv = (prefix / "uv-receipt.toml").is_file() or shutil.which("uv")
        return f"uv pip install --python {python}" if uv else f"{python} -m ensurepip && {python} -m pip install"
    here = shutil.which("pip")
    pip = "pip" if here and Path(here).parent == Path(sys.executable).parent else f"{python} -m pip"
    # PEP 668: pip refuses to install into the Python of a distribution, where upright got by this option.
    managed = sys.prefix == sys.base_prefix and (Path(get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file()
    return f"{pip} install{' --break-system-packages' * managed}"
