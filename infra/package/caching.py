"""Whether finished steps are reused, set for every step of a package, as kfp's own client does it at each run.

Here it is set in the package that is deployed, so that the digest of a run is of what runs.
"""

from __future__ import annotations

import json


def override_caching(package: str, enable: bool | None) -> str:
    """The package, JSON, with caching as wanted for each task of its pipeline; None leaves it as it was compiled.

    A step inside a loop or a condition keeps what it was compiled with, as with kfp's client.
    """
    if enable is None:
        return package
    document = json.loads(package)
    spec = document.get("pipelineSpec", document)
    for task in spec.get("pipeline_spec", spec)["root"]["dag"]["tasks"].values():
        # Off is the absence of the field, as kfp compiles it.
        options = {name: value for name, value in task.get("cachingOptions", {}).items() if name != "enableCache"}
        task["cachingOptions"] = options | ({"enableCache": True} if enable else {})
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
