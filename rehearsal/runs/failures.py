"""What is said of a task or a run that failed: its exception first, then where its log goes wrong.

A task's log is mostly kfp's: how the task was executed, its whole input as JSON, the frames of the executor. The end
of it, cut anywhere, begins in the middle of that.
"""

from __future__ import annotations

import re

TAIL_LINES = 20
OF_KFP_LOCAL = re.compile(r"^(?:\d\d:\d\d:\d\d\.\d+ - [A-Z]+ - .*|-{40,})\n", re.MULTILINE)
OUTPUTS = re.compile(r"^\d\d:\d\d:\d\d\.\d+ - INFO - Task .* outputs:\n(?: {4}.*\n)*", re.MULTILINE)
INDENTATION = re.compile(r"^ {4}", re.MULTILINE)
OF_THE_EXECUTOR = re.compile(
    r"^\[KFP Executor [^\]]*\]: (?:Got executor_input:\n\{\n(?: .*\n)*\}\n|.*\n)", re.MULTILINE
)
TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n((?:[ \t].*\n)*)(\S.*)\n", re.MULTILINE)
DIRECTORY_OF_COMPONENT = re.compile(r'(?<=^  File ").*/(?=ephemeral_component\.py")', re.MULTILINE)
COMPONENT_FRAMES = re.compile(r'^  File "ephemeral_component\.py"(?s:.*)', re.MULTILINE)
ERROR = re.compile(r"[\w.]*(?:error|exception): .", re.IGNORECASE)


def summarise(log: str) -> str:
    """The exception or error that a log ends with, and below it the lines that led there; "" of an empty log."""
    text = DIRECTORY_OF_COMPONENT.sub("", printed(log))
    if found := [*TRACEBACK.finditer(text)]:
        frames, exception = found[-1].groups()
        own = COMPONENT_FRAMES.search(frames)
        return _join(exception, _tail((own[0] if own else frames) + text[found[-1].end() :], begin="  File "))
    *before, last = text.splitlines() or [""]
    return _join(last, _tail("\n".join(before))) if ERROR.match(last) else _tail(text)


def printed(log: str) -> str:
    """What the task itself printed. kfp.local indents it, and nothing else."""
    text = OF_KFP_LOCAL.sub("", OUTPUTS.sub("", log))
    if text != log:
        text = INDENTATION.sub("", text)
    return OF_THE_EXECUTOR.sub("", text).strip("\n") + "\n"


def _tail(text: str, begin: str = "") -> str:
    """The last lines; of more than that, from a line on that begins so, if there is one."""
    lines = text.strip("\n").splitlines()
    if len(lines) > TAIL_LINES:
        lines = lines[-TAIL_LINES:]
        first = next((number for number, line in enumerate(lines) if line.startswith(begin)), 0)
        lines = lines[first:]
    return "\n".join(lines)


def _join(headline: str, rest: str) -> str:
    return f"{headline}\n{rest}" if rest else headline
