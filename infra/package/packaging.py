"""Compiles a pipeline and lists what is deployed. Pure: no Pulumi here, bytes in and bytes out.

The same sources give the same bytes on every machine: an explicit list of files, sorted, and a package compiled
to JSON with sorted keys. The digest in the archive's name is over names and contents only, so neither `touch` nor
`__pycache__` nor another directory redeploys a function, and an edit always does.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler
from kfp.dsl.base_component import BaseComponent

from function_src.launcher.package import BadPackageError, Package, read_package
from infra.errors import ConfigurationError
from infra.syntax import explain_json, explain_yaml

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINES = ROOT / "pipelines"
FUNCTION = ROOT / "function_src"
NOT_PIPELINES = frozenset({"__init__", "images"})
NAME = re.compile(r"[\w-]+(?: [\w-]+)*")  # with a dot in it, a module's name says that it is inside another
OTHER_CHARACTERS = re.compile(r"[^\w-]+")
COMPILED = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Archive:
    """What is deployed: ``files`` from function_src by their names in the archive, and the package as text."""

    files: dict[str, Path]
    package: str
    digest: str

    @property
    def name(self) -> str:
        """The object's name. It must end in .zip: Cloud Build unpacks by the extension (pulumi-gcp#729)."""
        return f"launcher-{self.digest[:12]}.zip"


def compile_pipeline(pipeline: str) -> tuple[Package, str]:
    """Compiles ``echo`` (pipelines/echo.py), or reads a compiled package by its path from the project's root.

    function_src/launcher/package.py says what a package can be.

    Returns the package and its text, JSON with sorted keys.

    Raises:
        ConfigurationError: there is no such file, it does not compile, or the result is no package.
    """
    if pipeline.endswith(COMPILED):
        documents = _compiled_documents(ROOT / pipeline, pipeline)
    else:
        documents = _compile_source(_find_source(pipeline), pipeline)
    spec, *platform = documents or [None]
    content = {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return read_package(text.encode()), text
    except BadPackageError as error:
        raise ConfigurationError(f"pipeline {pipeline!r}: {error}") from None
    except TypeError:
        raise ConfigurationError(
            f"pipeline {pipeline!r}: it holds what JSON cannot, such as a date; put that in quotes"
        ) from None


def launcher_archive(package: str, function: Path = FUNCTION) -> Archive:
    """Lists what is deployed for one trigger.

    Raises:
        ConfigurationError: the function's requirements.txt is missing.
    """
    requirements = function / "requirements.txt"
    if not requirements.is_file():
        raise ConfigurationError(f"function_src/{requirements.name} is missing; write it with: make lock")
    modules = sorted((function / "launcher").glob("*.py"))
    files = {path.relative_to(function).as_posix(): path for path in (function / "main.py", requirements, *modules)}
    contents = {name: path.read_bytes() for name, path in files.items()} | {"pipeline.json": package.encode()}
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name}\0{len(contents[name])}\0".encode() + contents[name])
    return Archive(files, package, digest.hexdigest())


def _compiled_documents(path: Path, pipeline: str) -> list[Any]:
    if not path.is_file():
        raise ConfigurationError(
            f"pipeline {pipeline!r}: there is no such file; give its path from the project's root"
        )
    try:
        text = path.read_text()
        if path.suffix == ".json":  # not as YAML: that takes no tabs, and 1e3 for text
            return [json.loads(text)]
        return [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise ConfigurationError(f"pipeline {pipeline!r} is not YAML: {explain_yaml(error, text)}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"pipeline {pipeline!r} is not text, and so no compiled package") from None
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        raise ConfigurationError(f"pipeline {pipeline!r} is not {kind}: {explain_json(error)}") from None


def _find_source(pipeline: str) -> Path:
    """The file of a pipeline. By the names that the directory lists: not every file system tells Echo from echo."""
    files = {file.stem: file for file in sorted(PIPELINES.glob("*.py")) if file.stem not in NOT_PIPELINES}
    names = {name: file for name, file in files.items() if NAME.fullmatch(name)}
    if pipeline in names:
        return names[pipeline]
    wanted = pipeline.removesuffix(".py")
    if wanted in names:
        raise ConfigurationError(f"pipeline {pipeline!r}: write it without .py: {wanted}")
    if misnamed := [name for name in files if name in (pipeline, f"{pipeline}.py") and name not in names]:
        better = OTHER_CHARACTERS.sub("_", wanted.strip())
        raise ConfigurationError(
            f"pipeline {pipeline!r}: pipelines/{misnamed[0]}.py cannot be one, for its name has more than letters, "
            f"digits, - and _ before .py; call it {better}.py"
        )
    close = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {close[0]}? Else " if close else ""
    raise ConfigurationError(
        f"pipeline {pipeline!r}: there is no pipelines/{pipeline}.py; {hint}choose one of {', '.join(names)}, "
        "or give the path of a compiled package (.yaml, .yml or .json)"
    )


def _compile_source(path: Path, pipeline: str) -> list[Any]:
    with tempfile.TemporaryDirectory() as directory:
        compiled = Path(directory) / "pipeline.yaml"
        try:
            compiler.Compiler().compile(_find_pipeline(path), str(compiled))
        except ConfigurationError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 a pipeline file is a program; anything can go wrong
            said = " ".join(str(error).split())  # a problem is one line
            raise ConfigurationError(
                f"pipeline {pipeline!r}: pipelines/{path.name}{_line_in(path, error)} does not compile: "
                f"{type(error).__name__}: {said}; {_fix_of(error, path)}"
            ) from None
        return list(yaml.safe_load_all(compiled.read_text()))


def _find_pipeline(path: Path) -> BaseComponent:
    """Runs a pipeline's file and returns its one @dsl.pipeline, or the one called ``pipeline`` among several.

    Not imported: modules are cached, and a second evaluation in one process must see an edit.
    """
    module = types.ModuleType(f"pipelines.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # kfp reads the source of a component through its module
    program = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    exec(program, module.__dict__)  # noqa: S102 it is the user's own program
    # kfp has no public name for the class: components have a component_spec with an executor, pipelines a graph.
    found = {
        id(value): value
        for value in vars(module).values()
        if isinstance(value, BaseComponent) and type(value).__name__ == "GraphComponent"
    }
    named = vars(module).get("pipeline")
    if id(named) in found:
        return found[id(named)]
    if len(found) != 1:
        names = ", ".join(value.name for value in found.values()) or "none"
        raise ConfigurationError(
            f"pipelines/{path.name} must define one @dsl.pipeline, or call the one to run `pipeline`; it has: {names}"
        )
    return next(iter(found.values()))


def _fix_of(error: BaseException, path: Path) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "import it inside the components that need it, or install it into .venv"
    return f"mend pipelines/{path.name}"


def _line_in(path: Path, error: BaseException) -> str:
    """``", line 12"``: the innermost line of the file itself that the error passed through."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""
