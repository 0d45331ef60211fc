"""The process that compiles pipelines: runs their files, so that nothing of theirs stays in who asks.

It takes the path of a pipeline's file per line of stdin and answers each with a line of JSON: ``{"documents": ...}``,
or what went wrong. It runs in the project's environment or in one made for the pipelines, with whatever kfp that has,
and so needs kfp and nothing of the project. With an argument it compiles as if on another day, by somebody else, in
another directory, and with files listed in another order: what is different then depends on more than the sources.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import json
import linecache
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# A time in which the year, the month, the day of either, the hour, the minute and the second become others.
AWAY_SECONDS = 34_909_871


def main() -> None:
    """Answers until nobody asks any more. What pipelines print goes to stderr, and they read nothing."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # it is for who asks, who sees this end
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.dont_write_bytecode = True
    if again := bool(sys.argv[1:]):
        _live_on_another_day()
        _list_backwards()
    for line in requests:
        with tempfile.TemporaryDirectory() as place:  # for this one file: whoever is killed later has left nothing
            path = Path(line.rstrip("\n"))
            answer = _answer(_from_elsewhere(path, Path(place, "elsewhere")) if again else path)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _from_elsewhere(path: Path, elsewhere: Path) -> Path:
    """A pipeline's file, by another path to its project."""
    root = path.parent.parent
    elsewhere.symlink_to(root)
    return elsewhere / path.relative_to(root)


def _answer(path: Path) -> dict[str, Any]:
    """What a pipeline compiles to: the documents of its package."""
    root = path.parent.parent
    before = list(sys.path)
    sys.path[:] = [str(root), *sys.path, str(path.parent)]  # last: a pipeline may be called like a package
    os.chdir(root)
    linecache.clearcache()
    importlib.invalidate_caches()
    try:
        return _compile(path)
    except (Exception, SystemExit) as error:  # noqa: BLE001 a pipeline file is a program; anything can go wrong
        return {
            "type": type(error).__name__,
            "said": str(error),
            "line": _line_in(path, error),
            "module": error.name if isinstance(error, ImportError) else None,
        }
    finally:
        sys.path[:] = before
        os.chdir("/")
        _forget_modules(path.parent)


def _compile(path: Path) -> dict[str, Any]:
    import yaml
    from kfp import compiler

    pipeline, names = _find_pipeline(path)
    if pipeline is None:
        return {"pipelines": names}
    with tempfile.TemporaryDirectory() as directory:
        compiled = Path(directory, "pipeline.yaml")
        compiler.Compiler().compile(pipeline, str(compiled))
        return {"documents": list(yaml.safe_load_all(compiled.read_text()))}


def _find_pipeline(path: Path) -> tuple[Any, list[str]]:
    """Runs a pipeline's file and returns its one @dsl.pipeline, or the one called ``pipeline`` among several; and
    what all of them are called."""
    from kfp.dsl.base_component import BaseComponent

    spec = importlib.util.spec_from_file_location(f"pipelines.{path.stem}", path)
    assert spec  # noqa: S101 it is a file of Python
    assert spec.loader  # noqa: S101 and so it can be loaded
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # kfp reads the source of a component through its module
    spec.loader.exec_module(module)
    # kfp has no public name for the class: components have a component_spec with an executor, pipelines a graph.
    found = {
        id(value): value
        for value in vars(module).values()
        if isinstance(value, BaseComponent) and type(value).__name__ == "GraphComponent"
    }
    named = vars(module).get("pipeline")
    chosen = named if id(named) in found else next(iter(found.values())) if len(found) == 1 else None
    return chosen, [value.name for value in found.values()]


def _forget_modules(pipelines: Path) -> None:
    """So that the edit of a helper is seen, and no pipeline gets another's."""
    for name, module in [*sys.modules.items()]:
        inside = str(getattr(module, "__file__", None)).startswith(f"{pipelines}{os.sep}")
        if inside or name.partition(".")[0] == "pipelines":
            del sys.modules[name]


def _line_in(path: Path, error: BaseException) -> int | None:
    """The innermost line of the file itself that an error passed through."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _live_on_another_day() -> None:
    """Moves the clock, for whoever asks for the time in Python."""
    now, written, shown = time.time, time.strftime, time.asctime
    _replace(
        time,
        time=lambda: now() + AWAY_SECONDS,
        time_ns=lambda: int(time.time() * 1e9),
        localtime=_at_present(time.localtime),
        gmtime=_at_present(time.gmtime),
        ctime=_at_present(time.ctime),
        strftime=lambda form, at=None: written(form, at or time.localtime()),
        asctime=lambda at=None: shown(at or time.localtime()),
    )
    date, moved = _moved_dates()
    _replace(datetime, date=date, datetime=moved)


def _at_present(tell: Any) -> Any:
    return lambda seconds=None: tell(time.time() if seconds is None else seconds)


def _replace(module: ModuleType, **members: Any) -> None:
    for name, member in members.items():
        setattr(module, name, member)


def _moved_dates() -> tuple[type, type]:
    """``date`` and ``datetime`` that take the moved clock; they take any date for one of theirs."""
    real_date, real_datetime = datetime.date, datetime.datetime

    class Kind(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, cls.__base__)  # type: ignore[arg-type]  # each has one

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, cls.__base__)  # type: ignore[arg-type]  # each has one

    def as_written(value: datetime.date) -> str:
        real = real_datetime if isinstance(value, real_datetime) else real_date
        return f"datetime.{real.__repr__(value)}"

    def of(base: type, **more: Any) -> type:
        return Kind(base.__name__, (base,), {"__module__": "datetime", "__repr__": as_written, **more})

    date = of(real_date, today=classmethod(lambda cls: cls.fromtimestamp(time.time())))
    moved = of(
        real_datetime,
        now=classmethod(lambda cls, tz=None: cls.fromtimestamp(time.time(), tz)),
        utcnow=classmethod(lambda cls: cls.utcfromtimestamp(time.time())),
        today=classmethod(lambda cls: cls.fromtimestamp(time.time())),
    )
    return date, moved


class _Backwards:
    """What ``os.scandir`` gives, the last first."""

    def __init__(self, entries: Any) -> None:
        with entries:
            self._entries: Iterator[Any] = iter([*entries][::-1])

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> _Backwards:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open any more."""


def _list_backwards() -> None:
    listed, scanned = os.listdir, os.scandir
    _replace(os, listdir=lambda path=".": listed(path)[::-1], scandir=lambda path=".": _Backwards(scanned(path)))


if __name__ == "__main__":
    main()
