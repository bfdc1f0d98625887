"""What pages are rendered in: the templates, their filters, style and script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from pipeline.page import formatting
from pipeline.results.text import setting_text, short_setting

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> jinja2.Environment:
    """What pages are rendered in, with their filters: all values are escaped, and a missing one is an error."""
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                               undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                               keep_trailing_newline=True)
    pages.filters.update(nats=formatting.nats, value=formatting.value_text, over_seeds=formatting.over_seeds,
                         sentence=formatting.sentence, breakable=formatting.breakable, flat=formatting.flatten,
                         setting=setting_text, short=short_setting)
    pages.globals.update(anchor=formatting.anchor)
    return pages


def style_and_script(*more: str, scripts: Sequence[str] = ()) -> tuple[Markup, Markup, str]:
    """Both as they go into a page, and the digest by which it allows its own script and no other.

    `more` are further files of style, `scripts` of scripts; these see each other's names, and nothing else does.
    """
    script = _text("page.js")
    if scripts:
        script += Markup('(() => {\n"use strict";\n') + Markup("\n").join(map(_text, scripts)) + Markup("})();\n")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup().join(map(_text, ("page.css", "lessons.css", "second_opinion.css", *more))), script, digest


def _text(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text())
