"""Puts the page together: one HTML document that loads nothing, runs its own script only, and sends nothing.

The policy in its head allows the one script and the one style sheet by their hashes, and nothing else: no network, no
frames, no forms. The data is JSON in a block that is no script; in it `<`, `>` and `&` are written as escapes, so
that no text can end the block or begin a comment.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from pytest_hdp import __version__
from pytest_hdp.report.page.model import data
from pytest_hdp.report.story import story
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Made, Result
    from pytest_hdp.report.page.latency import Histogram

_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def page(
    results: Iterable[Result],
    made: Sequence[Made] = (),
    *,
    histograms: Iterable[Histogram] = (),
    problems: Sequence[str] = (),
) -> str:
    """Return the whole of `report.html`.

    `made`: how each run was made; `problems`: a line for each file that the results came from and of which not all
    could be read.
    """
    everything = list(results)
    unmeasured = [*(line for each in made for line in each.missing), *problems]
    told = story(everything, unmeasured)
    style, script = _asset("page.css"), _asset("page.js")
    times = sorted(filter(None, (safe(result.time) for result in everything)))
    parts = {
        "policy": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "title": _text(told.headline),
        "headline": _text(told.headline),
        "introduction": _text(told.introduction),
        "glossary": _text(told.glossary),
        "lines": "\n".join(f"<li>{_text(line)}</li>" for line in told.lines),
        "status": _text(told.status),
        "advice": "".join(f"<li>{_text(line)}</li>" for line in told.advice),
        "tone": "surprised" if told.surprised else "calm",
        "when": _text(_when(times)),
        "trains": f"{len(everything)} train{'' if len(everything) == 1 else 's'}",
        "version": _text(__version__),
        "problems": "".join(f'<p class="problem">{_text(line)}</p>' for line in unmeasured),
        "data": json_block(data(everything, made, histograms)),
    }
    return _filled(_asset("page.html"), parts)


def json_block(value: Any) -> str:
    """Return a value as JSON that may stand within `<script type="application/json">`, whatever texts are in it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).translate(_ESCAPES)


def _filled(template: str, parts: dict[str, str]) -> str:
    """Return the template with each `{{name}}` replaced once; what a part contains is left as it is."""
    first, *rest = template.split("{{")
    done = [first]
    for piece in rest:
        name, after = piece.split("}}", 1)
        done += [parts[name], after]
    return "".join(done)


def _when(times: Sequence[str]) -> str:
    return (
        ""
        if not times
        else times[0][:16].replace("T", " ") + (" UTC" if "+00:00" in times[0] or times[0][-1:] == "Z" else "")
    )


def _text(value: str) -> str:
    return html.escape(safe(value), quote=True)


def _asset(name: str) -> str:
    return (resources.files("pytest_hdp.report.page") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
