"""What a pull request is held to: no access that was not there at a revision, and the rules of reviewers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperationError
from ops.iam.comparing.report import Comparison
from ops.iam.review import inputs
from ops.iam.review.never import FILE, broken, rules_of
from rehearsal.program import ROOT


@dataclass(frozen=True)
class Held:
    """How the manifests of the working tree compare, and which rules they break."""

    comparisons: list[Comparison]
    broken: list[str]

    @property
    def passes(self) -> bool:
        """Whether nobody gets more, and no rule is broken."""
        return not self.broken and not any(one.broadened or one.high for one in self.comparisons)


def held(base: str | None, rules: str | None, root: Path = ROOT) -> Held:
    """Compares with ``base``, if given. Rules hold as they stand there too: who breaks one cannot take it out.

    Raises:
        OperationError: one of them is not there, or is something else.
    """
    comparisons = inputs.compared(base, None, None, root) if base else []
    if rules and not (root / rules).is_file():
        raise OperationError(f"{rules} is not there: write the rules, or leave out --never")
    name = rules or FILE
    texts = {where: inputs.text_at(where, name, root) for where in dict.fromkeys((base, None))}
    listed = dict.fromkeys(rule for where, text in texts.items() for rule in rules_of(text, _named(name, where)))
    names = inputs.stacks_at(None, root) if listed else ()
    manifests = [found for stack in sorted(names) if (found := inputs.manifest_at(None, stack, root))]
    return Held(comparisons, [said for manifest in manifests for said in broken(listed, manifest)])


def _named(name: str, revision: str | None) -> str:
    return f"{name} at {revision}" if revision else name
