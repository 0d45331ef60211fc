"""Where a text stops being YAML or JSON, in words: line, column, problem and fix.

The parsers' own messages speak of tokens, scalars and "<unicode string>", and of what they were doing; a person wants
to know what to write instead.
"""

from __future__ import annotations

import json
import re

import yaml

NEWLINE = "\n"
# What PyYAML says, what that means, and whether it is at fault where it says so, or where what it reads was opened.
HERE, OPENED = "problem_mark", "context_mark"
YAML_PROBLEMS = (
    (r"character '\\t'", HERE, "a tab; indent with spaces"),
    (r"scanning an (alias|anchor)", HERE, "text that starts with * or &; put it in quotes"),
    (r"undefined alias '(?P<name>.*)'", HERE, "there is no &{name} above it; put text that starts with * in quotes"),
    (r"character '(?P<name>.)' that cannot", HERE, "text that starts with {name}; put it in quotes"),
    (r"quoted scalar\n.*unexpected", OPENED, "a quotation mark without its other; close it"),
    (r"unknown escape|hexadecimal", HERE, "a backslash that means nothing in double quotes; use single quotes"),
    (
        r"expected ',' or '[]}]'",
        OPENED,
        "a bracket that is not closed, or lacks a comma; put text with one in quotes",
    ),
    (r"mapping values are not", HERE, "a colon where none can be; put text with one in quotes, or indent it less"),
    (r"sequence entries are not", HERE, "a dash where no list can start; start the list on a line of its own"),
    (r"could not find expected ':'", OPENED, "a key without its colon; write KEY: VALUE"),
    (r"expected <block end>", HERE, "belongs to nothing above it; indent it as its neighbours, or put it in quotes"),
    (r"another document", HERE, "a second document starts here; keep one"),
    (r"duplicate anchor", HERE, "an anchor (&) whose name is taken; give it a name of its own"),
    (r"unhashable key", HERE, "a key that is a list or a map; put text that starts with a bracket in quotes"),
    (r"for merging", HERE, "<< takes a map, or a list of maps; give it one"),
    (r"merge in quotes", HERE, "<<, which Pulumi takes for the merge that it is without quotes; take them off"),
    (r"no such tag", HERE, "starts with !, which YAML keeps for itself; put it in quotes"),
    (r"half a character", HERE, "half a character; write the whole one"),
    (r"no such value", HERE, "no such number, or true or false; put it in quotes"),
    (r"", HERE, "what follows is not YAML; put text with other than letters, digits and dashes in quotes"),
)


def explain_yaml(error: Exception, text: str) -> str:
    """``line 8, column 17: a colon where none can be; ...``, of what PyYAML raised on a text."""
    if isinstance(error, RecursionError):
        return "it nests too deeply; take levels out"
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        return f"line {before.count(NEWLINE) + 1}: U+{error.character:04X}, which YAML does not take; take it out"
    said = "\n".join(str(getattr(error, part, None)) for part in ("context", "problem"))
    for pattern, where, words in YAML_PROBLEMS:
        if found := re.search(pattern, said):
            return place(getattr(error, where, None)) + words.format(**found.groupdict())
    raise AssertionError  # the last pattern finds everything


def explain_json(error: ValueError | RecursionError) -> str:
    """``line 3, column 5 cannot be read``, of what the json module raised."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno} cannot be read"
    return "it nests too deeply" if isinstance(error, RecursionError) else "it has a number that is too long"


def place(mark: yaml.Mark | None) -> str:
    """``"line 8, column 17: "``."""
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
