"""The pods of a Workflow, as far as their containers can tell: names, and what Kubernetes makes of arguments."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

# Kubernetes, third_party/forked/golang/expansion/expand.go: what is no variable stays, but for the escape.
REFERENCE = re.compile(r"\$(?:(?P<escape>\$)|\((?P<name>[^)]*)\))")


def variables(workflow: str) -> dict[str, str]:
    """The environment variables by which a step's container can tell what pod it is in (argocompiler/common.go)."""
    return {"KFP_POD_NAME": f"{workflow}-system-container-impl-{zlib.crc32(workflow.encode())}"}


def pass_on(parameters: Mapping[str, Any], container: Mapping[str, str]) -> dict[str, Any]:
    """A run's parameters as they come out of an argument of a container: all of them stand in one, as JSON."""
    found: dict[str, Any] = json.loads(expand(json.dumps(parameters, ensure_ascii=False), container))
    return found


def expand(argument: str, container: Mapping[str, str]) -> str:
    """An argument of a container as its program gets it from the kubelet."""

    def value(found: re.Match[str]) -> str:
        return "$" if found["escape"] else container.get(found["name"], found[0])

    return REFERENCE.sub(value, argument)
