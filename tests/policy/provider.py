"""What the installed provider offers: every resource type with its inputs, read from the SDK's source.

Importing all of its 1500 modules would take a minute; reading them takes half a second.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

CONSTRUCTOR = re.compile(r"\nclass \w+Args:\n    def __init__\(__self__(.*?)\):\n", re.DOTALL)
TOKEN = re.compile(r"super\(\w+, __self__\).__init__\(\s*'(gcp:[^']+)'")


@cache
def resource_inputs() -> dict[str, frozenset[str]]:
    """The inputs of each resource type, by their Python names."""
    spec = importlib.util.find_spec("pulumi_gcp")
    assert spec is not None
    assert spec.origin is not None
    found = {}
    for path in Path(spec.origin).parent.glob("*/*.py"):
        text = path.read_text()
        token, constructor = TOKEN.search(text), CONSTRUCTOR.search(text)
        if token and constructor:
            found[token[1]] = frozenset(re.findall(r"\n\s+(\w+):", constructor[1]))
    return found
