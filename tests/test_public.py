"""The public surface: one sorted list, every name is there, and a bare import costs nothing."""

import pkgutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

import upright
import upright.errors

from .conftest import NOT_IN_CHECK

HEAVY = ("numpy", "PIL", "pyvips", "onnxruntime", "pi_heif", "torch", "fastapi", "ray")


def test_public_names() -> None:
    assert upright.__all__ == sorted(upright.__all__)
    assert dir(upright) == upright.__all__
    modules = {module.name for module in pkgutil.iter_modules(upright.__path__)}
    assert not modules.intersection(upright.__all__), "importing the module would hide the public name"
    for name in upright.__all__:
        assert getattr(upright, name).__doc__ or name == "__version__"
    errors = [value for value in vars(upright.errors).values() if isinstance(value, type)]
    assert {each.__name__ for each in errors if issubclass(each, upright.UprightError)} <= set(upright.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        upright.nonsense  # noqa: B018


def imported_by(*command: str) -> set[str]:
    code = f"import sys; sys.argv = {['upright', *command]!r}\n"
    code += "try:\n from upright.cli import main; main()\nexcept SystemExit: pass\n" if command else "import upright\n"
    code += "print('MODULES', *sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(out.split("MODULES", 1)[1].split())


def test_import_is_light() -> None:
    assert not imported_by().intersection(HEAVY)


def test_help_is_light() -> None:
    modules = imported_by("--help")
    assert "click" in modules
    assert not modules.intersection(HEAVY)


def test_help_of_detect_is_light() -> None:
    assert not imported_by("detect", "--help").intersection(HEAVY)


@pytest.mark.slow
def test_nothing_is_left_out_for_want_of_a_package() -> None:
    assert all(map(find_spec, NOT_IN_CHECK))
