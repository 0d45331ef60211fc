"""Compiles a pipeline and lists what is deployed. Pure: no Pulumi here, bytes in and bytes out.

The same sources give the same bytes on every machine: an explicit list of files, sorted, and a package compiled
to JSON with sorted keys. The digest in the archive's name is over names and contents only, so neither `touch` nor
`__pycache__` nor another directory redeploys a function, and an edit always does.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from function_src.launcher.mapping.schema import FILE as SCHEMA
from function_src.launcher.package import BadPackageError, Package, read_package
from infra.errors import ConfigurationError
from infra.package.compile_errors import explain
from infra.package.compiling import compiler_of, difference, remedy
from infra.package.environments import python_of
from infra.package.reading import unreadable
from infra.syntax import explain_json, explain_yaml

ROOT = Path(__file__).resolve().parent.parent.parent
PIPELINES = ROOT / "pipelines"
FUNCTION = ROOT / "function_src"
NOT_PIPELINES = frozenset({"__init__", "images"})
NAME = re.compile(r"[\w-]+(?: [\w-]+)*")  # with a dot in it, a module's name says that it is inside another
OTHER_CHARACTERS = re.compile(r"[^\w-]+")
COMPILED = (".yaml", ".yml", ".json")
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
REGISTRY = re.compile(r"-kfp\.pkg\.dev/")
OF_A_REGISTRY = " in a registry of templates"


@dataclass(frozen=True)
class Archive:
    """What is deployed: ``files`` from function_src and ``texts`` that were made, by their names in the archive."""

    files: dict[str, Path]
    texts: dict[str, str]
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
    if ADDRESS.match(pipeline):
        raise ConfigurationError(
            f"pipeline {pipeline!r} is an address{OF_A_REGISTRY if REGISTRY.search(pipeline) else ''}; download the "
            f"package{' with kfp.registry.RegistryClient' if REGISTRY.search(pipeline) else ''} into the project and "
            "give its path, so that what is previewed is what is deployed"
        )
    if pipeline.endswith(COMPILED):
        documents = _compiled_documents(ROOT / pipeline, pipeline)
    else:
        documents = _compile_source(_find_source(pipeline), pipeline)
    spec, *platform = sorted(documents, key=_is_of_platform) or [None]
    if _is_of_component(spec):
        raise ConfigurationError(
            f"pipeline {pipeline!r} is a component: use it in a pipeline in pipelines/, by "
            "kfp.components.load_component_from_file"
        )
    if platform and not (len(platform) == 1 and _is_of_platform(platform[0])):
        raise ConfigurationError(
            f"pipeline {pipeline!r} has {len(documents)} documents; a package has one, and one more for its platform"
        )
    content = {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec
    try:
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        package = read_package(text.encode())
    except BadPackageError as error:
        raise ConfigurationError(f"pipeline {pipeline!r}: {error}") from None
    except TypeError:
        raise ConfigurationError(
            f"pipeline {pipeline!r}: it holds what JSON cannot, such as a date; put that in quotes"
        ) from None
    if problem := unreadable(package.spec.get("pipeline_spec", package.spec), package.spec.get("platform_spec")):
        raise ConfigurationError(
            f"pipeline {pipeline!r}: the package is damaged: {problem}; compile it anew, with kfp 2.17 or older"
        )
    return package, text


@contextlib.contextmanager
def pipelines_in(directory: Path) -> Iterator[None]:
    """Takes pipelines from another directory: a copy with one in it that the project is to have."""
    global PIPELINES  # noqa: PLW0603 the program that asks for it is run within, and takes no arguments
    before, PIPELINES = PIPELINES, directory
    try:
        yield
    finally:
        PIPELINES = before


def _is_of_platform(document: Any) -> bool:
    return isinstance(document, dict) and "platforms" in document


def _is_of_component(document: Any) -> bool:
    return isinstance(document, dict) and "implementation" in document


def launcher_archive(package: str, function: Path = FUNCTION, *, schema: str | None = None) -> Archive:
    """Lists what is deployed for one trigger: the launcher, its package and, if it has one, the schema of content.

    Raises:
        ConfigurationError: the function's requirements.txt is missing.
    """
    requirements = function / "requirements.txt"
    if not requirements.is_file():
        raise ConfigurationError(f"function_src/{requirements.name} is missing; write it with: make lock")
    modules = sorted((function / "launcher").rglob("*.py"))
    files = {path.relative_to(function).as_posix(): path for path in (function / "main.py", requirements, *modules)}
    texts = {"pipeline.json": package} | ({SCHEMA: schema} if schema else {})
    contents = {name: path.read_bytes() for name, path in files.items()}
    contents |= {name: text.encode() for name, text in texts.items()}
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name}\0{len(contents[name])}\0".encode() + contents[name])
    return Archive(files, texts, digest.hexdigest())


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


def _difference(documents: list[Any], again: list[Any]) -> tuple[str, str, str] | None:
    """Where two compilations of a pipeline differ: in the package, mostly, for which there need not be more."""
    return difference(documents[0], again[0]) or difference(documents[1:], again[1:], "the platform's document ")


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
    first, again = compiler_of(python_of(path.parent)).compile(path)
    match first:
        case {"documents": list(documents)}:
            # What fails the second time, as on another day it may, tells nothing of the first.
            if found := _difference(documents, again.get("documents", documents)):
                where, one, other = found
                raise ConfigurationError(
                    f"pipeline {pipeline!r}: it compiles to another package each time, so each `up` would deploy it "
                    f"anew: {where} is {one!r} and then {other!r}; {remedy(documents, again['documents'])}"
                )
            return documents
        case {"pipelines": list(names)}:
            raise ConfigurationError(
                f"pipelines/{path.name} must define one @dsl.pipeline, or call the one to run `pipeline`; "
                f"it has: {', '.join(names) or 'none'}"
            )
        case {"ended": code}:
            raise ConfigurationError(
                f"pipeline {pipeline!r}: pipelines/{path.name} ends the process that compiles it (exit code {code}); "
                "take out what does so"
            )
    line = f", line {first['line']}" if first["line"] else ""
    raise ConfigurationError(
        f"pipeline {pipeline!r}: pipelines/{path.name}{line} does not compile: {explain(first, path)}"
    )
