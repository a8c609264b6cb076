"""Bars of contestants, drawn as SVG for the README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_HEAD, _BAR = 42, 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    title: str
    value: float
    text: str
    hint: str
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Bars of one measure, under a heading."""

    title: str
    bars: Sequence[Bar]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """Draw the panels, one below the other; each has a scale of its own."""
    panels = [panel for panel in panels if panel.bars]
    height = sum(_HEAD + _BAR * len(panel.bars) for panel in panels) + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="14">',
        f"<title>{title}</title>",
        f'<rect width="760" height="{height}" fill="#fff"/>',
    ]
    top = 0
    for panel in panels:
        parts += _panel(panel, top)
        top += _HEAD + _BAR * len(panel.bars)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, top: int) -> list[str]:
    longest = max(bar.value for bar in panel.bars)
    parts = [f'<text x="10" y="{top + 24}" font-weight="bold">{panel.title}</text>']
    for place, bar in enumerate(panel.bars):
        line = top + _HEAD + _BAR * place
        width = max(2, round(380 * bar.value / longest)) if longest else 2
        color = "#1f6feb" if bar.is_ours else "#8b949e"
        parts += [
            f'<text x="270" y="{line + 17}" text-anchor="end">{bar.title}</text>',
            f'<rect x="280" y="{line}" width="{width}" height="24" fill="{color}"><title>{bar.hint}</title></rect>',
            f'<text x="{286 + width}" y="{line + 17}">{bar.text}</text>',
        ]
    return parts
