"""What is deployed: the same sources give the same bytes everywhere, and an edit always shows."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.errors import ConfigurationError
from infra.package import packaging
from infra.package.packaging import FUNCTION, ROOT, compile_pipeline, launcher_archive
from infra.resources.launcher import BUILD
from tests.infra.configuration.test_settings import refusal as configuration_refusal
from tests.plans import TRIGGERS, dev_config

PIPELINE = """
from kfp import dsl

@dsl.component
def step(text: str) -> str:
    return text

@dsl.pipeline(name="mine")
def pipeline(text: str):
    step(text=text)
"""


SECOND = """
from kfp import dsl

@dsl.component
def step_of_{0}() -> int:
    return 1

@dsl.pipeline(name="{0}")
def {0}():
    step_of_{0}()
"""


@pytest.fixture
def function(tmp_path: Path) -> Path:
    """A copy of function_src, in another directory."""
    copy = tmp_path / "elsewhere" / "function_src"
    shutil.copytree(FUNCTION, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def refusal(pipeline: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        compile_pipeline(pipeline)
    return str(refused.value)


def test_another_directory_gives_the_same_archive(function: Path) -> None:
    assert launcher_archive("{}", function).name == launcher_archive("{}").name


def test_neither_touch_nor_pycache_nor_other_files_change_the_archive(function: Path) -> None:
    before = launcher_archive("{}", function)
    os.utime(function / "main.py", (0, 0))
    (function / "__pycache__").mkdir()
    (function / "__pycache__" / "main.cpython-313.pyc").write_bytes(b"compiled")
    (function / "launcher" / "__pycache__").mkdir()
    (function / "launcher" / "notes.txt").write_text("mine")
    after = launcher_archive("{}", function)
    assert after.digest == before.digest
    assert after.files.keys() == before.files.keys()


@pytest.mark.parametrize("file", ["main.py", "launcher/launch.py", "requirements.txt"])
def test_an_edit_changes_the_archive_s_name(function: Path, file: str) -> None:
    before = launcher_archive("{}", function).name
    source = (function / file).read_text()
    (function / file).write_text(source.replace("a", "b", 1))
    assert launcher_archive("{}", function).name != before


def test_another_package_changes_the_archive_s_name() -> None:
    assert launcher_archive("{}").name != launcher_archive('{"a":1}').name


def test_every_module_of_the_launcher_is_deployed() -> None:
    deployed = set(launcher_archive("{}").files)
    assert deployed == {"main.py", "requirements.txt"} | {
        path.relative_to(FUNCTION).as_posix() for path in (FUNCTION / "launcher").rglob("*.py")
    }


def test_a_missing_requirements_file_is_said_with_the_command_that_writes_it(function: Path) -> None:
    (function / "requirements.txt").unlink()
    with pytest.raises(
        ConfigurationError, match=r"function_src/requirements.txt is missing; write it with: make lock"
    ):
        launcher_archive("{}", function)


def test_compiling_is_deterministic_across_processes() -> None:
    program = "from infra.package.packaging import compile_pipeline; print(compile_pipeline('echo')[0].digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {compile_pipeline("echo")[0].digest + "\n"}


def test_the_digest_is_of_the_package_s_own_bytes() -> None:
    package, text = compile_pipeline("echo")
    assert package.digest == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize("name", ["echo", "validate_csv"])
def test_the_samples_compile(name: str) -> None:
    package, _ = compile_pipeline(name)
    assert package.name == name.replace("_", "-")


def test_a_compiled_package_may_be_given_by_its_path(pipelines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pipelines / "mine.py").write_text(PIPELINE)
    compiled, text = compile_pipeline("mine")
    monkeypatch.setattr(packaging, "ROOT", pipelines)
    (pipelines / "mine.json").write_text(text)
    assert compile_pipeline("mine.json")[0] == compiled


def test_an_edit_of_a_pipeline_is_seen_by_the_next_evaluation(pipelines: Path) -> None:
    (pipelines / "mine.py").write_text(PIPELINE)
    assert set(compile_pipeline("mine")[0].inputs) == {"text"}
    (pipelines / "mine.py").write_text(PIPELINE.replace("pipeline(text: str)", "pipeline(text: str, rows: int)"))
    assert set(compile_pipeline("mine")[0].inputs) == {"text", "rows"}


@pytest.mark.parametrize("name", ["ecco", "images", "__init__", "../infra/settings"])
def test_an_unknown_pipeline_is_answered_with_those_there_are(name: str, pipelines: Path) -> None:
    for there in ("__init__", "images", "mine", "yours"):
        (pipelines / f"{there}.py").touch()
    text = refusal(name)
    assert f"there is no pipelines/{name}.py" in text
    assert "choose one of mine, yours, or" in text


def test_a_pipeline_that_is_misspelt_is_answered_with_the_one_that_is_meant(pipelines: Path) -> None:
    """In small letters too: where the file system tells no difference, it would be found here and not elsewhere."""
    (pipelines / "resize.py").write_text(PIPELINE)
    assert "there is no pipelines/resise.py; did you mean resize? Else choose one of resize" in refusal("resise")
    assert "there is no pipelines/Resize.py; did you mean resize?" in refusal("Resize")
    assert refusal("resize.py") == "pipeline 'resize.py': write it without .py: resize"


@pytest.mark.parametrize(
    ("file", "pipeline", "better"),
    [
        ("resize.py.py", "resize", "resize.py"),
        ("resize.py.py", "resize.py", "resize.py"),
        ("resize.v2.py", "resize.v2", "resize_v2.py"),
        ("resize .py", "resize ", "resize.py"),
    ],
)
def test_a_file_that_cannot_be_a_pipeline_for_its_name_is_told_a_better_one(
    file: str, pipeline: str, better: str, pipelines: Path
) -> None:
    (pipelines / file).write_text(PIPELINE)
    assert refusal(pipeline) == (
        f"pipeline {pipeline!r}: pipelines/{file} cannot be one, for its name has more than letters, digits, - and _ "
        f"before .py; call it {better}"
    )


@pytest.mark.parametrize("name", ["my-pipeline", "my pipeline", "größe", "2024"])
def test_any_other_name_is_a_pipeline_s(name: str, pipelines: Path) -> None:
    (pipelines / f"{name}.py").write_text(PIPELINE)
    assert set(compile_pipeline(name)[0].inputs) == {"text"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def broken(:\n", "pipelines/mine.py, line 1 does not compile: SyntaxError"),
        ("import nothing_such\n", "pipelines/mine.py, line 1 does not compile: ModuleNotFoundError"),
        (PIPELINE.replace("step(text=text)", "step(text=5)"), "pipelines/mine.py, line 10 does not compile"),
        ("import sys\nsys.exit('no')\n", "pipelines/mine.py, line 2 does not compile: SystemExit: no"),
        (
            "x = 1\n",
            "pipelines/mine.py must define one @dsl.pipeline, or call the one to run `pipeline`; it has: none",
        ),
        (
            SECOND.format("first") + SECOND.format("second"),
            "must define one @dsl.pipeline, or call the one to run `pipeline`; it has: first, second",
        ),
    ],
    ids=["syntax", "import", "type", "exit", "none", "two"],
)
def test_a_pipeline_that_does_not_compile_is_named_with_its_line(pipelines: Path, source: str, expected: str) -> None:
    (pipelines / "mine.py").write_text(source)
    assert expected in refusal("mine")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{a", "is not YAML: line 1, column 1: a bracket that is not closed"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "is an Argo workflow, compiled with the KFP SDK 1"),
        ("- 1\n", "is not a JSON object"),
        ("", "is not a JSON object"),
        ("when: 2026-11-22\n", "it holds what JSON cannot, such as a date; put that in quotes"),
    ],
    ids=["broken", "argo", "list", "empty", "date"],
)
def test_a_file_that_is_no_package(
    pipelines: Path, monkeypatch: pytest.MonkeyPatch, content: str, expected: str
) -> None:
    monkeypatch.setattr(packaging, "ROOT", pipelines)
    (pipelines / "given.yaml").write_text(content)
    assert expected in refusal("given.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"a":\n 1,}', "is not JSON: line 2, column 4 cannot be read"),
        (b"[" * 100_000, "is not JSON: it nests too deeply"),
        (b"9" * 5000, "is not JSON: it has a number that is too long"),
        (b"\xff", "is not text, and so no compiled package"),
    ],
    ids=["broken", "deep", "number", "bytes"],
)
def test_a_file_that_is_no_json(
    pipelines: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, expected: str
) -> None:
    monkeypatch.setattr(packaging, "ROOT", pipelines)
    (pipelines / "given.json").write_bytes(content)
    assert expected in refusal("given.json")


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (
            "argo-v1.yaml",
            "the package is an Argo workflow, compiled with the KFP SDK 1: neither the v2 API of KFP nor",
        ),
        (
            "tfx-2.0.0.json",
            "the package's schema version is 2.0.0; KFP takes 2.1.0 only: compile it with KubeflowV2DagR",
        ),
        (
            "kfp-1.8.json",
            "the package's schema version is 2.0.0; KFP takes 2.1.0 only: compile it with the KFP SDK 2 (",
        ),
    ],
)
def test_a_package_that_kfp_does_not_run_is_refused_at_preview(package: str, reason: str) -> None:
    path = f"tests/packages/{package}"
    text = configuration_refusal(dev_config(pipeline=path, parameters={"run_note": "object.uri"}))
    assert text.startswith(f"{TRIGGERS}[0].pipeline: pipeline {path!r}: {reason}")


def test_a_tfx_package_is_checked_like_any_other() -> None:
    config = dev_config(pipeline="tests/packages/tfx-2.1.0.json", parameters={"ratio": "object.uri"})
    first, second = configuration_refusal(config).splitlines()
    assert first == f"{TRIGGERS}[0].parameters.ratio: object.uri is text, which never fits NUMBER_DOUBLE"
    assert second.strip().startswith(f"{TRIGGERS}[0].parameters: the pipeline requires 'run_note' (STRING)")


def test_a_package_whose_own_output_would_be_an_event_is_refused_at_preview() -> None:
    """acme-tfx is where the package itself puts what its runs write."""
    config = dev_config(
        source={"kind": "gcs", "bucket": "acme-tfx", "prefix": "incoming/"},
        pipeline="tests/packages/tfx-2.1.0.json",
        parameters={"run_note": "object.uri"},
    )
    text = configuration_refusal(config)
    assert "gs://acme-tfx/roots/taxi is in the trigger bucket acme-tfx, where each output would be an event" in text


def test_a_package_whose_own_values_do_not_fit_is_refused_at_preview(
    pipelines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = json.loads((ROOT / "tests" / "packages" / "tfx-2.1.0.json").read_text())
    package["runtimeConfig"]["parameterValues"]["train_steps"] = "many"
    (pipelines / "given.json").write_text(json.dumps(package, indent="\t"))
    monkeypatch.setattr(packaging, "ROOT", pipelines)
    assert configuration_refusal(dev_config(pipeline="given.json", parameters={"run_note": "object.uri"})) == (
        f"{TRIGGERS}[0].parameters: the package's runtimeConfig: "
        "parameter 'train_steps' is 'many', which is no NUMBER_INTEGER"
    )


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_a_package_may_be_yaml_or_json(pipelines: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """JSON with tabs and numbers such as 1e3 is JSON, though no YAML."""
    (pipelines / "mine.py").write_text(PIPELINE.replace("text: str):", "text: str, rows: int = 1000):"))
    package, text = compile_pipeline("mine")
    monkeypatch.setattr(packaging, "ROOT", pipelines)
    given = json.dumps(json.loads(text), indent="\t").replace("1000.0", "1e3")
    (pipelines / f"given.{suffix}").write_text(given if suffix == "json" else yaml.safe_dump(json.loads(text)))
    assert compile_pipeline(f"given.{suffix}")[0] == package


def test_the_pipeline_called_pipeline_is_the_one_that_runs(pipelines: Path) -> None:
    nested = PIPELINE.replace("    step(text=text)", "    step(text=text)\n    inner()")
    (pipelines / "mine.py").write_text(SECOND.format("inner") + nested + "\nalias = pipeline\n")
    assert compile_pipeline("mine")[0].name == "mine"


def test_a_platform_spec_travels_with_its_pipeline(pipelines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pipelines / "mine.py").write_text(PIPELINE)
    _, text = compile_pipeline("mine")
    monkeypatch.setattr(packaging, "ROOT", pipelines)
    (pipelines / "given.yaml").write_text(f"{text}\n---\nplatforms: {{kubernetes: {{}}}}\n")
    package, _ = compile_pipeline("given.yaml")
    assert package.spec["platform_spec"] == {"platforms": {"kubernetes": {}}}
    assert set(package.inputs) == {"text"}


def test_a_package_that_is_not_there() -> None:
    assert "there is no such file" in refusal("compiled/none.yaml")


@pytest.mark.parametrize("settings", [{}, BUILD], ids=["without the setting", "as it is built"])
def test_the_image_has_byte_code_that_python_takes(function: Path, settings: dict[str, str]) -> None:
    """The build compiles the function, and the image then gives every file a time of 1980."""
    surroundings = {"PATH": os.environ["PATH"]}
    compiling = [sys.executable, "-m", "compileall", "-f", "-q", "."]
    subprocess.run(compiling, cwd=function, env=surroundings | settings, check=True)
    for path in function.rglob("*"):
        os.utime(path, (315532801, 315532801))
    loading = [sys.executable, "-B", "-v", "-c", "import launcher.origin"]
    said = subprocess.run(loading, cwd=function, env=surroundings, capture_output=True, text=True, check=True).stderr
    taken = [line for line in said.splitlines() if line.endswith("launcher/origin.py") and " matches " in line]
    assert bool(taken) == bool(settings)
