"""How scripts that use upright end where they were asked for what is not there: by one line that says so."""

from __future__ import annotations

import sys
from collections.abc import Callable

from upright.errors import UprightError


def run(main: Callable[[], None]) -> None:
    """Call a script's ``main``; a missing file, or an error of upright, is told without a stack."""
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"{error.filename}: there is no such file or folder" if error.filename else str(error))
    except UprightError as error:
        sys.exit(str(error))
