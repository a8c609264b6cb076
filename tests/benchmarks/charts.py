"""Bars and lines of contestants, drawn as SVG for the README."""

from __future__ import annotations

import math
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The values of one contestant, one for each step. A line that ends early has stopped there."""

    title: str
    values: Sequence[float]
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of one measure, under a heading, on a scale of powers of ten."""

    title: str
    lines: Sequence[Line]


_GRID_LEFT, _GRID_WIDTH, _GRID_HEIGHT = 70, 480, 170
_OURS = ("#1f6feb", "#0b3d91")
_OTHERS = ("#d1242f", "#bf8700", "#1a7f37", "#8250df", "#bc4c00", "#57606a", "#0d7d87")


def draw_lines(title: str, panels: Sequence[Lines], *, steps: Sequence[str]) -> str:
    """Draw the panels, one below the other, with the same steps from left to right."""
    each = _HEAD + _GRID_HEIGHT + 34
    height = each * len(panels) + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="13">',
        f"<title>{title}</title>",
        f'<rect width="760" height="{height}" fill="#fff"/>',
    ]
    for place, panel in enumerate(panels):
        parts += _grid(panel, each * place, steps)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _grid(panel: Lines, top: int, steps: Sequence[str]) -> list[str]:
    most = max((value for line in panel.lines for value in line.values), default=1.0)
    powers = max(1, math.ceil(math.log10(max(most, 10.0))))
    bottom = top + _HEAD + _GRID_HEIGHT

    def x(step: int) -> float:
        return _GRID_LEFT + _GRID_WIDTH * step / max(1, len(steps) - 1)

    def y(value: float) -> float:
        return bottom - _GRID_HEIGHT * math.log10(max(value, 1.0)) / powers

    parts = [f'<text x="10" y="{top + 24}" font-weight="bold">{panel.title}</text>']
    for power in range(powers + 1):
        at = y(10**power)
        parts.append(
            f'<line x1="{_GRID_LEFT}" x2="{_GRID_LEFT + _GRID_WIDTH}" y1="{at:.0f}" y2="{at:.0f}" stroke="#d0d7de"/>'
        )
        label = "≤ 1" if power == 0 else f"{10**power:,}"
        parts.append(f'<text x="{_GRID_LEFT - 8}" y="{at + 4:.0f}" text-anchor="end">{label}</text>')
    parts += [
        f'<text x="{x(number):.0f}" y="{bottom + 20}" text-anchor="middle">{step}</text>'
        for number, step in enumerate(steps)
    ]
    colors = {True: iter(_OURS), False: iter(_OTHERS)}
    for place, line in enumerate(panel.lines):
        color, width = next(colors[line.is_ours]), 3 if line.is_ours else 1.5
        points = [(x(step), y(value)) for step, value in enumerate(line.values)]
        path = " ".join(f"{left:.0f},{down:.0f}" for left, down in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>')
        parts += [f'<circle cx="{left:.0f}" cy="{down:.0f}" r="3" fill="{color}"/>' for left, down in points]
        below = top + _HEAD + 10 + 19 * place
        parts.append(f'<rect x="572" y="{below - 9}" width="12" height="10" fill="{color}"/>')
        parts.append(f'<text x="590" y="{below}">{line.title}</text>')
    return parts
