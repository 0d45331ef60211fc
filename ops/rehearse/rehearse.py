"""Rehearses a stack on this machine and tells the story as it happens."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape

from ops.errors import OperationError
from ops.printing import MARKS
from ops.rehearse.files import samples_of
from ops.rehearse.story import Story
from ops.rehearse.telling import Step, Teller
from rehearsal.engine.cli import NoEngineError
from rehearsal.engine.made import EngineError, Made, make_with_engine
from rehearsal.environment import Environment
from rehearsal.function import FunctionError
from rehearsal.program import ROOT, evaluate, read_stack

KEPT = ROOT / "build" / "rehearsal"


def rehearse_stack(
    stack: str, file: Path | None, teller: Teller, *, engine: bool = False, happy: bool = False
) -> int:
    """Rehearses every trigger of a stack; returns the exit status, 0 if all came out as promised.

    With ``engine``, what stands up is what a `pulumi up` on Pulumi's own engine has made; ``happy``: nothing goes
    wrong. The artifacts of the runs are kept until the next rehearsal of the stack.

    Raises:
        ConfigurationError: the program refuses the stack's configuration.
        OperationError: a sample is missing or nobody's, the environment does not stand up, or there is no engine.
    """
    try:
        with contextlib.ExitStack() as running:
            with teller.progress.status("Evaluating the program") as status:
                plan = evaluate(*read_stack(stack))
                for line in plan.advice:
                    teller.progress.print(MARKS["advice"], escape(line), highlight=False)
                samples = samples_of(plan, file)
                if engine:
                    status.update("Starting Pulumi's engine")
                    made = make_with_engine(plan, stack, status.update)
                    plan = made.plan
                    teller.progress.print(_sum_up(made), highlight=False)
                kept = KEPT / plan.stack
                shutil.rmtree(kept, ignore_errors=True)
                environment = running.enter_context(Environment(plan, say=status.update, kept=kept))
            told = _tell(environment, stack, samples, teller, happy=happy)
            if kept.is_dir():
                teller.progress.print(f"artifacts of the runs are in {escape(os.path.relpath(kept))}")
            return told
    except (FunctionError, NoEngineError, EngineError) as error:
        raise OperationError(str(error)) from None


def _sum_up(made: Made) -> str:
    """What the engine made, by kind; a grant is a grant, on whatever."""
    kinds = (resource.type.rsplit(":", 1)[-1] for resource in made.plan.resources if resource.custom)
    counts = Counter(re.sub(r".*I(AM|am)Member", "grant", kind) for kind in kinds)
    what = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return (
        f"pulumi up: {counts.total()} resources in {made.seconds:.1f} s, by Pulumi's engine {made.version} on a "
        f"substitute of the provider\n  {what}"
    )


def _tell(environment: Environment, stack: str, samples: Mapping[str, Path], teller: Teller, *, happy: bool) -> int:
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
        told[trigger.name] = story.play(to_the_end=trigger is environment.triggers[0], happy=happy)
    for name, steps in told.items():
        teller.sum_up(name, steps)
    as_expected = all(step.as_expected for steps in told.values() for step in steps)
    teller.end(as_expected=as_expected)
    return 0 if as_expected else 1
