"""What a KFP server takes of a package and of the values in a stack file, with the code that runs in the function."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from function_src.launcher.package import Package
from function_src.launcher.storable import bad_letter, unstorable

# A workflow's name begins with it (argocompiler/argo.go, GenerateName).
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*-*")
LARGEST_WORKFLOW = 1536 * 1024  # bytes: etcd's --max-request-bytes, by default; it holds the package and more


def check_storable(where: str, parameters: Mapping[str, Any], package: Package, database: str | None) -> list[str]:
    """What the server would refuse, or start and be unable to store, whatever the event."""
    problems = []
    size = len(json.dumps(package.spec, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > LARGEST_WORKFLOW:
        problems.append(
            f"{where}.pipeline: the package takes {size} bytes, and Kubernetes stores {LARGEST_WORKFLOW} at most; "
            "move code or data that is embedded in it to an image or a file"
        )
    if letter := bad_letter(package.spec, database):
        problems.append(f"{where}.pipeline: the package holds {letter}")
    if not NAME.fullmatch(package.name.rpartition("/")[2]):
        problems.append(
            f"{where}.pipeline: the pipeline is called {package.name!r}, of which Kubernetes makes no name for its "
            "workflows; use small letters, digits, dots and dashes, a letter or digit first"
        )
    given = {name: spec.value for name, spec in package.inputs.items() if spec.value is not None}
    for name, config in parameters.items():
        if isinstance(config, Mapping):
            given[name] = config.get("value", config.get("default"))
    if problem := unstorable(given, database):
        problems.append(f"{where}.parameters: {problem}")
    return problems
