"""The site: ``make docs``. Pages are Markdown; the reference is made from the program while it is built."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

import reference  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import upright  # noqa: E402

project = "upright"
release = upright.__version__
copyright = "the authors; Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "upright"
html_show_copyright = False
myst_heading_anchors = 3
myst_links_external_new_tab = False
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False


def setup(app: Sphinx) -> None:
    """Write the pages of the reference before Sphinx looks for pages; links out of the site become links inside it."""
    reference.write(HERE / "reference")
    app.connect("source-read", _link)


def _link(app: Sphinx, name: str, texts: list[str]) -> None:
    page = HERE / f"{name}.md"
    if page.parent != HERE / "reference":
        texts[0] = reference.linked(texts[0], page, page)
