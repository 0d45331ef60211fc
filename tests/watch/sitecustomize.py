"""Notes each file of the checkout that a user owns and that this process opens: the product's tests may read none.

Python imports a module of this name whenever it starts, so with this folder in PYTHONPATH the processes that tests
start are watched like the tests themselves. Hence it needs nothing but Python.
"""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from types import FrameType
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 every process of the tests runs this: as light as can be
ROOT = PurePath(HERE).parent.parent
NOTES = "OPENED_FILES_OF_A_USER"  # the variable that says where they are noted
SAMPLES = ("__init__.py", "echo.py", "images.py", "validate_csv.py")  # what the product has in pipelines/


def is_a_user_s(path: PurePath) -> bool:
    """Whether a file, by its path in the project, is theirs: stacks, iam/, samples/, what is added to pipelines/."""
    match path.parts:
        case (name,):
            return path.match("Pulumi.*.yaml") or path.match("Pulumi.*.yml")
        case ("iam" | "samples", *_):
            return True
        case ("pipelines", "__pycache__", name):
            return f"{name.split('.')[0]}.py" not in SAMPLES
        case ("pipelines", *_, name):
            return len(path.parts) > 2 or name not in SAMPLES
    return False


def note(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: writes down what is opened, and by which line of the project."""
    if event != "open" or not isinstance(arguments[0], str | bytes) or NOTES not in os.environ:
        return
    path = PurePath(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 as above
    if path.is_relative_to(ROOT) and is_a_user_s(path.relative_to(ROOT)):
        with open(os.environ[NOTES], "a") as notes:  # noqa: PTH123 as above
            notes.write(f"{path.relative_to(ROOT)} by {_opener(sys._getframe(1))}\n")


def _opener(frame: FrameType | None) -> str:
    """The innermost line of the project on the stack."""
    while frame:
        path = PurePath(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts:
            return f"{path.relative_to(ROOT)}, line {frame.f_lineno}"
        frame = frame.f_back
    return "nobody in the project"


sys.addaudithook(note)
