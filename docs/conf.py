"""Sphinx settings: `tox -e docs`."""

from importlib import metadata

project = "decodekit"
copyright = "the decodekit contributors"
release = metadata.version("decodekit")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"decodekit {release}"
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
