"""Which file is whose sample: what a person gives is used, or refused; nothing of it is passed over."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ops.errors import OperationError
from ops.trying.given import BESIDE
from rehearsal.program import ROOT, Plan

OBJECTS = "objects"
GS_URI = re.compile(r"gs://([^/\s\"']+)/([^\s\"']+)")


def samples_of(plan: Plan, file: Path | None) -> Mapping[str, Path]:
    """The sample of each trigger that has one, by the trigger's name.

    A file is the sample of every trigger; in a directory a trigger's is called like it. Without either, those in
    `examples/STACK` are taken, if there are any.

    Raises:
        OperationError: there is no such file; or of a directory: one for each trigger is not there, or one is no
            trigger's.
    """
    takers = [name for name, kind in _kinds(plan).items() if kind != "schedule"]
    if file is None:
        return _by_trigger(ROOT / "examples" / plan.stack, takers)
    if not file.exists():
        raise OperationError(f"there is no file {file}; give the path of a local file")
    if not takers:
        raise OperationError(f"stack {plan.stack} has schedules only, which take no sample: leave {file} out")
    if not file.is_dir():
        return dict.fromkeys(takers, file)
    found = _by_trigger(file, takers)
    _refuse_gaps(file, takers, found)
    _refuse_others(file, takers, found)
    return found


def named_beside(sample: Path) -> Iterable[tuple[str, str, Path]]:
    """Files beside a sample that stand in for objects which it names, with the objects' buckets and names."""
    return named_in(sample.read_text(errors="ignore"), sample.parent)


def named_in(text: str, directory: Path) -> Iterable[tuple[str, str, Path]]:
    """The same of a text, by the files of a directory, or of `objects/` in it: what is there is no sample itself."""
    for bucket, name in GS_URI.findall(text):
        places = (directory / Path(name).name, directory / OBJECTS / Path(name).name)
        if neighbour := next(filter(Path.is_file, places), None):
            yield bucket, name, neighbour


def _kinds(plan: Plan) -> Mapping[str, str]:
    """The kind of each trigger's source."""
    services = {function.inputs["labels"]["trigger"]: function.inputs for function in plan.of_type(":Function")}
    settings = {name: inputs["serviceConfig"]["environmentVariables"]["TRIGGER"] for name, inputs in services.items()}
    return {name: str(json.loads(text)["source"]["kind"]) for name, text in settings.items()}


def _by_trigger(directory: Path, takers: Iterable[str]) -> Mapping[str, Path]:
    files = {name: sorted(path for path in directory.glob(f"{name}.*") if path.is_file()) for name in takers}
    return {name: paths[0] for name, paths in files.items() if paths}


def _refuse_gaps(directory: Path, takers: Iterable[str], found: Mapping[str, Path]) -> None:
    there = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    for name in takers:
        if name not in found:
            wanted = f"{directory} has no sample for trigger {name}: {name}.* was looked for"
            raise OperationError(f"{wanted}, and there is {', '.join(there) or 'nothing'}{_hint(name, there)}")


def _refuse_others(directory: Path, takers: Iterable[str], found: Mapping[str, Path]) -> None:
    used = {*found.values(), *(path for sample in found.values() for _, _, path in named_beside(sample))}
    used |= {sample.with_name(sample.name + BESIDE) for sample in found.values()}
    for path in sorted(directory.iterdir()):
        if path not in used and path.is_file() and not path.name.startswith("."):
            raise OperationError(
                f"{path} is no trigger's sample, and no sample names an object of that name; samples are looked for "
                f"as {', '.join(f'{name}.*' for name in takers)}, one for each"
            )


def _hint(name: str, there: Iterable[str]) -> str:
    files = {file.partition(".")[0]: file for file in there}
    close = difflib.get_close_matches(name, files, n=1)
    return f"; is {files[close[0]]} the one that should be called so?" if close else ""
