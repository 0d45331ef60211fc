"""What a pipeline that does not compile has to hear: the cause, where KFP's own words name something else.

By the words of kfp 2.0 to 2.17, and by the pipeline's own text.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NO_SUCH_TYPE = re.compile(r"schema_title and a schema_version.* Got: (?P<type>.+?)\.?$", re.DOTALL)
POSTPONED = "take out `from __future__ import annotations`: KFP reads the annotations themselves"
TYPES = "KFP takes str, int, float, bool, list, dict and artifacts"
OF_A_RUN = (
    "while a pipeline compiles, its inputs and the outputs of its tasks have no values yet: work with them inside a "
    "component; a pipeline itself has dsl.If, dsl.ParallelFor and f-strings for them"
)
OF_KFP_1 = (
    r"create_component_from_func|func_to_container_op|ContainerOp|'apply'|'add_env_variable'|kfp\.onprem"
    r"|'(gcp|onprem|aws)' from 'kfp'"
)
# What is said, and what that means.
MEANINGS = (
    (r"PipelineParameterChannel|PipelineArtifactChannel|PipelineChannel|Got constant boolean", OF_A_RUN),
    (r"pipeline_task\.PipelineTask object", "hand on the task's output: TASK.output, or TASK.outputs['NAME']"),
    (OF_KFP_1, "that was in the KFP SDK 1; write @dsl.component, and with kfp-kubernetes what only Kubernetes knows"),
)


def explain(error: Mapping[str, Any], path: Path) -> str:
    """What went wrong in a pipeline's file, and what mends it, by what compile_step.py has to say of that."""
    kind, said = str(error["type"]), " ".join(str(error["said"]).split())  # a problem is one line
    if found := NO_SUCH_TYPE.search(str(error["said"])):
        return _of_type(path, found["type"], error["line"])
    return f"{kind}: {said}; {_fix(kind, said, error['module'], path)}"


def _fix(kind: str, said: str, module: str | None, path: Path) -> str:
    for pattern, meaning in MEANINGS:
        if re.search(pattern, said):
            return meaning
    if kind == "ModuleNotFoundError" and module:
        return (
            "import it inside the components that need it, or name its package in pipelines/requirements.txt, with "
            "which pipelines are then compiled"
        )
    if kind == "FileNotFoundError":
        return (
            "paths are read from the project's root; of a file beside the pipeline write "
            'Path(__file__).with_name("FILE")'
        )
    if kind in ("ConnectionError", "HTTPError", "SSLError", "ProxyError", "MissingSchema", "InvalidSchema"):
        return "it is asked for at each preview: download it into pipelines/, and read that"
    return f"mend pipelines/{path.name}"


def _of_type(path: Path, shown: str, line: int | None) -> str:
    """Of an annotation for which KFP has no type, which it then takes for an artifact."""
    tree = ast.parse(path.read_bytes())
    if any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        return POSTPONED
    name = re.sub(r"\btyping\.", "", shown)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for what, annotation in _annotations(function):
            if _is_at(line, function) and f".{_written(annotation)}".endswith((f".{name}", f".{shown}")):
                return f"{what} has the type `{ast.unparse(annotation)}`; {_instead(annotation)}"
    return f"there is an annotation `{shown}`; {TYPES}"


def _is_at(line: int | None, function: ast.FunctionDef) -> bool:
    """Whether a line is one of a function, or of its decorators."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return line is None or first <= line <= (function.end_lineno or first)


def _annotations(function: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation:
            yield f"parameter {argument.arg!r} of {function.name}", argument.annotation
    if function.returns:
        yield f"what {function.name} returns", function.returns


def _written(annotation: ast.expr) -> str:
    return re.sub(r"\btyping\.", "", ast.unparse(annotation))


def _instead(annotation: ast.expr) -> str:
    """What to write in the place of a type that KFP does not have."""
    text = _written(annotation)
    others = [part for part in text.split(" | ") if part != "None"]
    if " | None" in text or text.startswith("None | "):
        return f"KFP takes Optional[{others[0]}]" if len(others) == 1 else f"{TYPES}, and one of them only"
    if len(others) > 1 or text.startswith("Union["):
        return f"{TYPES}, and one of them only"
    if text.startswith("Literal["):
        return "this KFP cannot; take str, and refuse other values in a component"
    if text.startswith(("Tuple[", "tuple[")):
        return f"{TYPES}; several outputs are a NamedTuple"
    close = difflib.get_close_matches(text.split("[")[0].lower(), ("list", "dict"), n=1)
    return f"{TYPES}{f'; write {close[0]}' if close else ''}"
