"""The paths as a graph that GitHub draws."""

from __future__ import annotations

from collections.abc import Iterable

from ops.iam.paths.paths import Path


def to_mermaid(paths: Iterable[Path]) -> str:
    """A flowchart of every step on some path; dotted where it only starts what runs."""
    edges = sorted({edge for path in paths for edge in path.steps})
    names = sorted({node for edge in edges for node in (edge.source, edge.target)})
    ids = {name: f"n{number}" for number, name in enumerate(names)}
    lines = [f'  {ids[name]}["{_label(name)}"]' for name in names]
    for edge in edges:
        arrow = "-->" if edge.becomes else "-.->"
        lines.append(f'  {ids[edge.source]} {arrow}|"{_label(edge.how)}"| {ids[edge.target]}')
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _label(text: str) -> str:
    """Text that ends no label, and is no markup of Mermaid's or HTML's."""
    short = text.removeprefix("serviceAccount:")
    return "".join(c if c.isalnum() or c in " -_./:@*," else f"#{ord(c)};" for c in short)
