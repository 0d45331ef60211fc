"""Rehearses a stack on this machine and tells the story as it happens."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from ops.errors import OperationError
from ops.rehearse.files import samples_of
from ops.rehearse.story import Story
from ops.rehearse.telling import Step, Teller
from rehearsal.environment import Environment
from rehearsal.function import FunctionError
from rehearsal.program import evaluate, read_stack


def rehearse_stack(stack: str, file: Path | None, teller: Teller) -> int:
    """Rehearses every trigger of a stack; returns the exit status, 0 if all came out as promised.

    Raises:
        ConfigurationError: the program refuses the stack's configuration.
        OperationError: a sample is missing or nobody's, or the environment does not stand up.
    """
    try:
        with contextlib.ExitStack() as running:
            with teller.progress.status("Evaluating the program") as status:
                plan = evaluate(*read_stack(stack))
                samples = samples_of(plan, file)
                environment = running.enter_context(Environment(plan, say=status.update))
            return _tell(environment, stack, samples, teller)
    except FunctionError as error:
        raise OperationError(str(error)) from None


def _tell(environment: Environment, stack: str, samples: Mapping[str, Path], teller: Teller) -> int:
    told: dict[str, list[Step]] = {}
    for trigger in environment.triggers:
        sample = samples.get(trigger.name)
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
