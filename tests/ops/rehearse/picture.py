"""The README's picture of a rehearsal: `make picture` draws it from one, and a test holds it to what they say."""

from __future__ import annotations

import io
import re
import sys
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from ops.rehearse.rehearse import rehearse_stack
from ops.rehearse.telling import OnTerminal
from rehearsal.program import ROOT
from tests.plans import DEV

PICTURE = ROOT / "docs" / "rehearsal.svg"
WIDTH = 126
# An outage is told with as many lines as there were attempts: the picture goes on with the summary.
STORY = re.compile(
    r"trigger echo ─+\n+(?P<scenes>.*?\n)\nThe endpoint is down when.*?\n(?P<summary>\ntrigger echo.*)", re.DOTALL
)
CHANGING = {
    r"\d+\.\d\d s": "TIME",
    r"#\d+": "#GENERATION",
    r"[0-9a-f]{8}-[0-9a-f-]{27}": "RUN",
    r"during-the-outage-\d": "during-the-outage",
}
# Rich's own frame without the fonts that it would fetch from the network.
FRAME = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>A rehearsal, from a file that lands to the run that it started</title>
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Consolas, monospace; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def shown(told: Text) -> Text:
    """What the picture shows of what was told."""
    story = STORY.search(told.plain)
    assert story, told.plain
    return told[story.start("scenes") : story.end("scenes")] + told[story.start("summary") :]


def lines(text: str) -> list[str]:
    """The lines of a rehearsal, with what differs each time masked, and in no order of their own: threads race."""
    for pattern, placeholder in CHANGING.items():
        text = re.sub(pattern, placeholder, text)
    return sorted("".join(line.split()) for line in text.splitlines() if line.strip())


def text_of(picture: str) -> str:
    """The lines that a picture shows."""
    rows: dict[float, str] = {}
    for part in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text"):
        if part.get("clip-path"):
            row = float(part.get("y", 0))
            rows[row] = rows.get(row, "") + "".join(part.itertext())
    return "\n".join(text.replace("\N{NO-BREAK SPACE}", " ") for _, text in sorted(rows.items()))


def draw(told: str) -> str:
    """A picture of what a terminal would show; ``told`` has a terminal's colours."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(shown(Text.from_ansi(told)))
    return console.export_svg(title="make rehearse", theme=SVG_EXPORT_THEME, code_format=FRAME, unique_id="rehearsal")


def main() -> int:
    console = Console(record=True, width=WIDTH, color_system="standard", file=io.StringIO())
    status = rehearse_stack(str(DEV), None, OnTerminal(console))
    PICTURE.write_text(draw(console.export_text(styles=True)))
    return status


if __name__ == "__main__":
    sys.exit(main())
