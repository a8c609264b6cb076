"""HTML fragments into text: paragraphs stay apart, code keeps its lines, formulas keep their source."""

from __future__ import annotations

import html as entities
import re
from typing import Any

from lxml import etree, html

from openlearn.scraping import text

_BREAKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure",
        "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre",
        "section", "table", "tr", "ul",
    }
)  # fmt: skip
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"script", "style", "template", "noscript"})
_KEEPS_LINES = frozenset({"pre", "textarea"})
_TEX = "math/tex"
_INLINE_MARKUP = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|big|br|cite|code|del|dfn|em|font|i|img|ins|kbd|mark|p|q|s|samp|small|span|strong|sub|sup|"
    r"tt|u|var|wbr)\b(?:\s[^<>]*)?/?>",
    re.I,
)
_KEPT = re.compile("\ue000(\\d+)\ue001")


def plain(markup: str) -> str:
    """Return the text of a fragment, with paragraphs, rows and lines of code kept apart."""
    markup = text.storable(markup)
    if "<" not in markup and "&" not in markup:
        return markup.strip()
    try:
        root = html.fromstring(f"<div>{markup}</div>")
    except (etree.LxmlError, ValueError):
        return markup.strip()
    keep_formulas(root)
    parts: list[str] = []
    kept: list[str] = []
    _collect(root, parts, kept)
    rows = (" ".join(row.split()) for row in "".join(parts).splitlines())
    joined = "\n".join(row for row in rows if row)
    return _KEPT.sub(lambda place: kept[int(place[1])], joined)


def title(markup: str) -> str:
    """
    Return a title without its emphasis. RSS does not say whether a title is text or HTML: what formats a title is
    markup, and what is talked about in one (“The <canvas> element”) is text.
    """
    if "<" in markup:
        markup = _INLINE_MARKUP.sub("", markup)
    return entities.unescape(markup) if "&" in markup else markup


def keep_formulas(root: Any) -> None:
    """Replace each formula of a tree by its TeX, or by the text of its MathML."""
    for element in list(root.iter("math", "{http://www.w3.org/1998/Math/MathML}math")):
        _replace(element, _source_of(element))
    for element in list(root.iter("script")):
        if (element.get("type") or "").lower().startswith(_TEX):
            _replace(element, f"\\({(element.text or '').strip()}\\)")


def has_formulas(markup: str) -> bool:
    return "<math" in markup or _TEX in markup


def _source_of(element: Any) -> str:
    for child in element.iter():
        is_annotation = isinstance(child.tag, str) and child.tag.rpartition("}")[2] == "annotation"
        if is_annotation and child.text and "tex" in (child.get("encoding") or "").lower():
            return f"\\({child.text.strip()}\\)"
    if element.get("alttext"):
        return f"\\({element.get('alttext').strip()}\\)"
    return " ".join("".join(element.itertext()).split())


def _replace(element: Any, words: str) -> None:
    if element.getparent() is None:
        return
    span = etree.Element("span")
    span.text, span.tail = words, element.tail
    element.getparent().replace(element, span)


def _collect(root: Any, parts: list[str], kept: list[str]) -> None:
    """Walk the tree without recursion: markup may be nested thousands deep."""
    unseen = 0
    for event, element in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in {"comment", "pi"}:
            _add(parts, None if unseen else element.tail)
            continue
        name = element.tag if isinstance(element.tag, str) else ""
        if event == "start":
            unseen += name in _UNSEEN
            if name in _KEEPS_LINES:
                if not unseen:
                    kept.append("".join(element.itertext()).strip("\n").rstrip())
                    parts.append(f"\n\ue000{len(kept) - 1}\ue001\n")
                unseen += 1
            elif not unseen:
                parts.append("\n" if name in _BREAKS else "\t" if name in _CELLS else "")
                _add(parts, element.text)
            continue
        unseen -= name in _UNSEEN or name in _KEEPS_LINES
        if not unseen:
            parts.append("\n" if name in _BREAKS else "")
            _add(parts, element.tail if element is not root else None)


def _add(parts: list[str], words: str | None) -> None:
    if words:
        parts.append(words.replace("\n", " "))
