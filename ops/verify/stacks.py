"""Looks at what users own: each stack file, the pipelines in it, its samples, and its manifests in iam/.

The product's tests look at none of it. One bad stack file does not hide the others, and of each all mistakes are
found at once. Only rules and manifests need a plan, so they are looked at once the stack evaluates.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.configuration.stack_file import find_stack
from infra.errors import ConfigurationError
from ops.iam.kept.document import leftover_files, stale_files
from ops.iam.kept.manifest import MANIFESTS
from ops.trying.samples import check_samples, has_samples
from policy.declarations import declared_access, is_production
from policy.rules import violations
from rehearsal.program import ROOT, Plan, evaluate, read_stack

# What a problem of the program begins with: the key, or where in the file it is. What to do about it stands last.
KEY = re.compile(r"(?P<key>line \d+(?:, column \d+)?|[\w-]+(?::[\w-]+)?(?:[.\[][\w.\[\]-]*)?): (?P<rest>.+)")


FIRST, RULES, FILES, SAMPLES = ("configuration", "pipelines", "mappings"), "rules", "manifests", "samples"


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a file, at which key if it has one, and what to do."""

    file: str
    key: str
    what: str
    fix: str

    @property
    def in_words(self) -> str:
        """All of it in one line."""
        return "; ".join(filter(None, [": ".join(filter(None, [self.file, self.key, self.what])), self.fix]))


@dataclass(frozen=True)
class Verdict:
    """What was looked at of a stack, what is wrong with it, and what is seldom meant as it is."""

    file: str
    looked_at: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    advice: tuple[str, ...] = ()


def verify(stack: str | None = None, root: Path = ROOT) -> Iterator[Verdict]:
    """Looks at every stack file of the project, or at one: by its name, or the path of its file.

    Raises:
        ConfigurationError: there is no such stack file, or none at all.
    """
    if stack is not None:
        yield verify_file(find_stack(stack, root), root)
        return
    files = sorted(root.glob("Pulumi.*.yaml"))
    if not files:
        raise ConfigurationError(
            "there is no stack file Pulumi.STACK.yaml; docs/configuration.md says what is in one"
        )
    yield from (verify_file(path, root) for path in files)
    for path in sorted(root.glob("Pulumi.*.yml")):
        mistake = Mistake(path.name, "", "Pulumi looks for stack files that end in .yaml", "rename it")
        yield Verdict(path.name, (), (mistake,))
    if gone := leftover_files(root):
        mistakes = (Mistake(name, "", "there is no stack file of that name", "delete it") for name in gone)
        yield Verdict(f"{MANIFESTS}/", (), tuple(mistakes))


def verify_file(path: Path, root: Path = ROOT) -> Verdict:
    """Looks at one stack file. One that lies elsewhere, as those in examples/, has no manifests."""
    file = path.name
    try:
        name, config = read_stack(str(path))
        # A pipeline is a program, and may print; what this command prints is read by scripts.
        with contextlib.redirect_stdout(sys.stderr):
            plans = [evaluate(name, config, preview=preview) for preview in (True, False)]
    except ConfigurationError as error:
        return Verdict(file, FIRST, tuple(_said_by(error, file)))
    mistakes = [mistake for plan in plans for mistake in _broken_rules(plan, config, file)]
    looked_at, beside = [*FIRST, RULES], path.resolve().parent
    if has_samples(name, beside):
        mistakes += [Mistake(found.file, "", found.what, found.fix) for found in check_samples(plans[-1], beside)]
        looked_at.append(SAMPLES)
    if beside == root.resolve():
        mistakes += _stale_manifests(plans[-1], config, file, root)
        looked_at.append(FILES)
    return Verdict(file, tuple(looked_at), tuple(dict.fromkeys(mistakes)), plans[-1].advice)


def _said_by(error: ConfigurationError, file: str) -> Iterator[Mistake]:
    """The problems that the program lists under the file's name, or the one that it has with the file."""
    head, *listed = str(error).splitlines()
    for line in listed or [head]:
        found = KEY.match(line.strip())
        key, rest = (found["key"], found["rest"]) if found else ("", line)
        what, _, fix = rest.rpartition("; ")
        yield Mistake(file, key, what or fix, fix if what else "")


def _broken_rules(plan: Plan, config: Mapping[str, str], file: str) -> Iterator[Mistake]:
    production, declared = is_production(config), declared_access(config)
    for resource in plan.resources:
        for found in violations(resource.type, resource.inputs, production=production, declared=declared):
            what, _, fix = found.message.rpartition("; ")
            yield Mistake(file, resource.name, f"breaks the rule {found.rule}: {what}", fix)


def _stale_manifests(plan: Plan, config: Mapping[str, str], file: str, root: Path) -> Iterator[Mistake]:
    if stale := sorted(stale_files(plan, config.get("gcp:project", ""), root)):
        fix = f"write what it gives with `make iam`, and read `git diff {MANIFESTS}`"
        yield Mistake(", ".join(stale), "", f"not what {file} gives", fix)
