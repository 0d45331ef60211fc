"""Rehearses a stack on this machine and tells the story as it happens."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ops.errors import OperationError
from ops.rehearse.story import Story
from ops.rehearse.telling import Step, Teller
from rehearsal.environment import Environment, RunningTrigger
from rehearsal.function import FunctionError
from rehearsal.program import ROOT, evaluate, read_stack


def rehearse_stack(stack: str, file: Path | None, teller: Teller) -> int:
    """Rehearses every trigger of a stack; returns the exit status, 0 if all came out as promised.

    Raises:
        ConfigurationError: the program refuses the stack's configuration.
        OperationError: the file is missing, or the environment does not stand up.
    """
    name, config = read_stack(stack)
    file = file or _samples_of(name)
    if file and not file.exists():
        raise OperationError(f"there is no file {file}; give the path of a local file")
    try:
        with contextlib.ExitStack() as running:
            with teller.progress.status("Evaluating the program") as status:
                plan = evaluate(name, config)
                environment = running.enter_context(Environment(plan, say=status.update))
            return _tell(environment, stack, file, teller)
    except FunctionError as error:
        raise OperationError(str(error)) from None


def _tell(environment: Environment, stack: str, file: Path | None, teller: Teller) -> int:
    told: dict[str, list[Step]] = {}
    for trigger in environment.triggers:
        sample = _sample(trigger, file)
        if trigger.reads_content and not sample:
            raise OperationError(
                f"trigger {trigger.name} reads what stands in its files; give one: "
                f"make rehearse STACK={stack} FILE=..., a file or a directory that has a file {trigger.name}.*"
            )
        teller.begin(trigger.name)
        story = Story(environment, trigger, sample, teller)
        told[trigger.name] = story.play(to_the_end=trigger is environment.triggers[0])
    for name, steps in told.items():
        teller.sum_up(name, steps)
    as_expected = all(step.as_expected for steps in told.values() for step in steps)
    teller.end(as_expected=as_expected)
    return 0 if as_expected else 1


def _samples_of(name: str) -> Path | None:
    """The directory of the samples for a stack of that name, `examples/prod`, if there is one."""
    samples = ROOT / "examples" / name
    return samples if samples.is_dir() else None


def _sample(trigger: RunningTrigger, file: Path | None) -> Path | None:
    """The file for a trigger: of a directory, the one that is called like it."""
    if file and file.is_dir():
        return next((found for found in sorted(file.glob(f"{trigger.name}.*")) if found.is_file()), None)
    return file
