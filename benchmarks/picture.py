"""The picture of docs/performance.md: cold start and memory of each function, with the spread of all rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.contestants import OURS, OURS_ON_VERTEX
from benchmarks.figures import Figure
from benchmarks.report import Results, bars

WIDTH, NAMES, ROW, TITLE = 720, 150, 26, 34
PANELS = {"cold": "Cold start, ms", "memory": "Memory after the first event, MiB"}
# In colours that can be read on light and on dark.
OWN, OTHERS, SPREAD, WORDS = "#1a7f5a", "#8b949e", "#d29922", "#768390"


def draw(results: Results) -> str:
    """The picture, as SVG."""
    panels, top = [], 0
    for measure, title in PANELS.items():
        rows = bars(results, measure)
        panels.append(f'<g transform="translate(0 {top})">{"".join(_panel(title, rows))}</g>')
        top += TITLE + ROW * len(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" '
        f'font-size="13" fill="{WORDS}">\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(title: str, rows: Sequence[tuple[str, Figure]]) -> Iterator[str]:
    scale = (WIDTH - NAMES - 60) / max(found.most for _, found in rows)
    yield f'<text x="{NAMES}" y="20" font-weight="bold">{escape(title)}</text>'
    for number, (name, found) in enumerate(rows):
        y = TITLE + ROW * number
        colour = OWN if name in (OURS, OURS_ON_VERTEX) else OTHERS
        least, median, most = (NAMES + value * scale for value in (found.least, found.median, found.most))
        yield f'<text x="{NAMES - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{NAMES}" y="{y}" width="{median - NAMES:.1f}" height="17" fill="{colour}"/>'
        yield f'<path d="M{least:.1f} {y + 8.5}H{most:.1f}" stroke="{SPREAD}" stroke-width="3"/>'
        yield f'<text x="{most + 6:.1f}" y="{y + 13}">{found.median:.0f}</text>'
