"""docs/troubleshooting.md has every message that a person is refused with, and none that nobody says any more."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from rehearsal.program import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
ROOMS = ("function_src", "infra", "ops")  # the client's errors are in docs/connect.md, which has a test of its own
PLACE = "…"
# What a program of ours would have to do wrong, or a part of a longer message: no person is refused with it alone.
INNER = {
    "TRIGGER is missing or wrong (…: …)",
    "source.kind is …",
    "target.workflows.endpoint …",
    "target.kind is …; this launcher knows kfp and vertex",
    "target.pipeline_root is in the trigger bucket …: each output would be an event",
    "there is no log among the stand-ins",
}


def template(node: ast.expr) -> str | None:
    """A message with a placeholder for what is put into it; none if it is said elsewhere."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else PLACE for part in parts)
    return None


def refusals(path: Path) -> Iterator[str]:
    """What a module raises with, as far as it has words of its own."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            said = template(node.exc.args[0])
            if said and " " in said and max(map(len, said.split(PLACE))) > len(".pipeline: "):
                yield said


def rows() -> list[str]:
    found = re.findall(r"^\| (`+) ?(.+?) ?\1 \|", PAGE.read_text(), re.MULTILINE)
    return [message.replace("\\|", "|") for _, message in found]


def test_every_message_that_refuses_is_on_the_page_and_no_other() -> None:
    modules = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    said = {message for path in modules for message in refusals(path)}
    assert said >= INNER
    assert set(rows()) == said - INNER


def test_no_message_is_on_the_page_twice() -> None:
    assert len(rows()) == len(set(rows()))


def test_every_row_says_why_and_what_to_do() -> None:
    cells = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert all(len(row) == 3 and all(cell.strip(" |") for cell in row) for row in cells)
