"""Sphinx settings: `tox -e docs`."""

import tomllib
from pathlib import Path

project = "decodekit"
copyright = "the decodekit contributors"
release = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]["version"]
extensions = ["myst_parser"]
exclude_patterns = ["_build", "composition_transformers.md"]
html_theme = "furo"
html_title = f"decodekit {release}"
myst_heading_anchors = 3
suppress_warnings = ["toc.empty_glob"]
