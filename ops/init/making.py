"""Makes a stack: all of its files at once, right by the check that `make verify` makes, or none of them."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.errors import ConfigurationError
from infra.package.packaging import pipelines_in
from ops.errors import OperationError
from ops.iam.deployer.files import SUFFIXES
from ops.iam.kept.document import files_of
from ops.iam.kept.manifest import MANIFESTS
from ops.init.answers import Answers
from ops.init.texts import pipeline_text, sample_of, sample_texts, stack_text
from ops.trying.samples import SAMPLES
from ops.verify.stacks import verify_file
from rehearsal.leash import scratch
from rehearsal.program import ROOT, evaluate, read_stack

LEFT = ".cache/init"  # what is being written, by stack: a run of init that was killed is told by it


def make_stack(answers: Answers, root: Path = ROOT) -> list[str]:
    """Writes the files of a new stack; returns their names.

    Raises:
        ConfigurationError: the stack would not be right; nothing is written.
        OperationError: one of the files is there already; nothing is written.
    """
    _take_back(root, answers.name)
    samples, stack_file = _samples(answers), f"Pulumi.{answers.name}.yaml"
    manifests = [f"{MANIFESTS}/{answers.name}{suffix}" for suffix in (".json", ".md", *SUFFIXES)]
    _refuse_any(root, [stack_file, f"pipelines/{answers.pipeline}.py", samples, *manifests])
    texts = _checked(answers, root)
    _write(root, answers.name, texts)
    return [*texts]


def next_commands(answers: Answers) -> list[str]:
    """What to run next: schedules take no file."""
    file = f" FILE={_samples(answers)}/{sample_of(answers)}" if answers.source != "schedule" else ""
    name = answers.name
    return [f"make verify STACK={name}", f"make rehearse STACK={name}{file}", f"make up STACK={name}"]


def _samples(answers: Answers) -> str:
    return f"{SAMPLES}/{answers.name}/{answers.trigger}"


def _checked(answers: Answers, root: Path) -> dict[str, str]:
    """The texts by the names of their files, the stack file's last: until it is there, there is no stack."""
    with tempfile.TemporaryDirectory(dir=scratch()) as place:
        copy, last = Path(place), f"Pulumi.{answers.name}.yaml"
        shutil.copytree(root / "pipelines", copy / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
        first = {f"pipelines/{answers.pipeline}.py": pipeline_text(answers), last: stack_text(answers)}
        _put(copy, first)
        with pipelines_in(copy / "pipelines"):
            plan = evaluate(*read_stack(str(copy / last)))
            samples = {f"{_samples(answers)}/{name}": text for name, text in sample_texts(answers).items()}
            beside = {**samples, **files_of(plan, answers.project)}
            _put(copy, beside)
            found = verify_file(copy / last, copy)
    if found.mistakes:
        raise ConfigurationError("\n".join(mistake.in_words for mistake in found.mistakes))
    return {**beside, **first}


def _put(place: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)


def _refuse_any(root: Path, names: Iterable[str]) -> None:
    for path in (root / name for name in names):
        if path.is_symlink() or (any(path.iterdir()) if path.is_dir() else path.exists()):
            name = path.relative_to(root).as_posix()
            raise OperationError(
                f"{name} is there already, and nothing is overwritten; choose another name for the stack, or move it"
            )


def _write(root: Path, stack: str, texts: Mapping[str, str]) -> None:
    """Creates all files, or none. Of a process that is killed in between, the next takes back what it has made."""
    left = root / LEFT / f"{stack}.json"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text(json.dumps(texts))
    written: list[str] = []
    try:
        for name, text in texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            with (root / name).open("x") as file:
                written.append(name)
                file.write(text)
    except BaseException as error:
        _remove(root, written, texts)
        left.unlink()
        if isinstance(error, FileExistsError):
            _refuse_any(root, set(texts) - set(written))
        raise
    left.unlink()


def _take_back(root: Path, stack: str) -> None:
    """Removes what a killed process has made and nobody has changed; not if it had come to the end."""
    left = root / LEFT / f"{stack}.json"
    if not left.is_file():
        return
    with contextlib.suppress(ValueError):  # it was killed before it had begun
        texts: dict[str, str] = json.loads(left.read_text())
        if not _is_complete(root, *list(texts.items())[-1]):
            _remove(root, [name for name, text in texts.items() if _begins(root, name, text)], texts)
    left.unlink()


def _begins(root: Path, name: str, text: str) -> bool:
    """Whether a file is a text or the beginning of it."""
    return (root / name).is_file() and text.startswith((root / name).read_text(errors="replace"))


def _is_complete(root: Path, name: str, text: str) -> bool:
    """Whether a file is a text, or what somebody has made of it."""
    return (root / name).is_file() and not _begins(root, name, text[:-1])


def _remove(root: Path, names: Iterable[str], texts: Iterable[str]) -> None:
    """Removes files, and of the directories of all those texts what is empty without them."""
    for name in names:
        (root / name).unlink()
    for name in texts:
        for directory in [*Path(name).parents][:-1]:
            with contextlib.suppress(OSError):
                (root / directory).rmdir()
