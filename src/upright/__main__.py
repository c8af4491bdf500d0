"""``python -m upright`` is the command ``upright``."""

from .cli import main

main()
