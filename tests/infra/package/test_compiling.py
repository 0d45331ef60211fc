"""One file gives one package: what depends on more is found by compiling again, and the place is named."""

import sys
from pathlib import Path

import pytest

from infra.package.compiling import AGAIN, Compiler, difference, remedy
from infra.package.packaging import compile_pipeline
from tests.infra.package.test_packaging import refusal

STEP = """
from kfp import dsl

{before}

@dsl.component(base_image="python:3.13", install_kfp_package=False{options})
def measure(text: str) -> str:
    return text

@dsl.pipeline(name="unsteady")
def pipeline(text: str, more: str = {default}):
    measure(text=text)
"""
TIME, ORDER, PLACE = "take out the time", "sort what has no order", "take out the paths of this machine"


def step(before: str = "", default: str = '"none"', options: str = "") -> str:
    return STEP.format(before=before, default=default, options=options)


@pytest.mark.parametrize(
    ("before", "default", "fix"),
    [
        ("import time", "str(time.time())", TIME),
        ("import time", "time.strftime('%Y')", TIME),
        ("import time", "time.ctime()", TIME),
        ("from datetime import date", "date.today().isoformat()", TIME),
        ("from datetime import datetime, timezone", "datetime.now(timezone.utc).strftime('%d.%m.')", TIME),
        ("import uuid", "uuid.uuid4().hex", TIME),
        ("import random", "str(random.random())", TIME),
        ("import getpass", "getpass.getuser()", TIME),
        ("import os", "str(os.getpid())", TIME),
        ("", "repr(object())", TIME),
        ("", "__file__", PLACE),
        ("import os", "','.join(os.listdir(os.path.dirname(__file__)))", ORDER),
        ("from glob import glob", "','.join(name[-3:] for name in glob('pipelines/*.*'))", ORDER),
        ("from pathlib import Path", "','.join(path.name for path in Path('pipelines').iterdir())", ORDER),
        ("", "' '.join({'one', 'two', 'three', 'four', 'five'})", ORDER),
    ],
)
def test_what_depends_on_more_than_the_sources_is_refused_with_its_place(
    pipelines: Path, before: str, default: str, fix: str
) -> None:
    (pipelines / "unsteady.py").write_text(step(before, default))
    (pipelines / "some.sql").touch()
    text = refusal("unsteady")
    assert text.startswith("pipeline 'unsteady': it compiles to another package each time, so each `up` would deploy")
    assert "anew: root.inputDefinitions.parameters.more.defaultValue is " in text
    assert fix in text


def test_the_difference_is_shown_where_it_is_in_a_long_text(pipelines: Path) -> None:
    names = "{'pandas', 'polars', 'pyarrow', 'duckdb', 'gcsfs'}"
    (pipelines / "unsteady.py").write_text(step(options=f", packages_to_install=[*{names}]"))
    text = refusal("unsteady")
    assert "deploymentSpec.executors.exec-measure.container.command[2] is " in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("before", "default"),
    [
        ("import datetime", "repr(datetime.date(2020, 2, 29)) + str(datetime.datetime(2020, 2, 29, 12))"),
        (
            "from datetime import date, datetime",
            "str(issubclass(datetime, date) and isinstance(datetime.now(), date))",
        ),
        ("", "' '.join(sorted({'one', 'two', 'three', 'four', 'five'}))"),
        ("import os", "','.join(sorted(os.listdir('pipelines')))"),
        ("import random", "str(random.Random(7).random())"),
        ("from pathlib import Path", "Path(__file__).with_name('some.sql').read_text()"),
        ("from pathlib import Path", "Path('pipelines/some.sql').read_text()"),
        ("from pathlib import Path", "str(Path(__file__).name)"),
        ("import os", "str(next(os.scandir('pipelines')).is_file()) + os.environ.get('NOBODY_SETS_THIS', 'x')"),
    ],
)
def test_what_depends_on_the_sources_alone_compiles(pipelines: Path, before: str, default: str) -> None:
    (pipelines / "steady.py").write_text(step(before, default))
    (pipelines / "some.sql").write_text("select 1")
    assert compile_pipeline("steady")[0].name == "unsteady"


def test_what_fails_on_another_day_alone_is_no_failure(pipelines: Path) -> None:
    other_day = f"import getpass\nassert getpass.getuser() != {AGAIN['USER']!r}"
    (pipelines / "steady.py").write_text(step(other_day))
    assert compile_pipeline("steady")


def test_what_is_deployed_orders_the_members_of_a_set_in_the_same_way_each_time(pipelines: Path) -> None:
    """Two of them may be in that order in the second process too: then nobody finds them, and they do no harm."""
    (pipelines / "mine.py").write_text(step(default="' '.join({'one', 'two', 'three', 'four', 'five'})"))
    compiler = Compiler(sys.executable)
    packages = []
    for _ in range(2):
        packages.append(compiler.compile(pipelines / "mine.py")[0]["documents"])
        compiler.close()
    assert packages[0] == packages[1]


@pytest.mark.parametrize(
    "how",
    [
        "import units",
        "from pipelines import units",
        "from pipelines.units import *; import units",
        "from . import units",
    ],
)
def test_a_module_beside_a_pipeline_is_found_and_its_edit_seen(pipelines: Path, how: str) -> None:
    (pipelines / "__init__.py").touch()
    (pipelines / "mine.py").write_text(step(how, "units.NAME"))
    for name in ("metre", "mile"):
        (pipelines / "units.py").write_text(f"NAME = {name!r}\n")
        root = compile_pipeline("mine")[0].spec["root"]
        assert root["inputDefinitions"]["parameters"]["more"]["defaultValue"] == name


def test_a_pipeline_that_ends_its_process_is_named_and_the_next_compiles(pipelines: Path) -> None:
    (pipelines / "ends.py").write_text("import os\nos._exit(9)\n")
    (pipelines / "mine.py").write_text(step())
    assert refusal("ends") == (
        "pipeline 'ends': pipelines/ends.py ends the process that compiles it (exit code 9); take out what does so"
    )
    assert compile_pipeline("mine")


def test_a_pipeline_may_print_and_gets_no_input(pipelines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pipelines / "mine.py").write_text(step("import sys\nprint('a word', sys.stdin.read())"))
    for _ in range(2):
        assert compile_pipeline("mine")
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("a word") == 1


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, None),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("a[1].b", "2", "3")),
        ({"a": {"x": 1}}, {"a": {"y": 1}}, ("a", "x", "y")),
        ({"a": [1]}, {"a": [1, 2]}, ("a", "[1]", "[1, 2]")),
        ({"a": "x" * 99 + "1"}, {"a": "x" * 99 + "2"}, ("a", "…" + "x" * 30 + "1", "…" + "x" * 30 + "2")),
    ],
)
def test_the_first_difference_is_found(one: object, other: object, expected: tuple[str, str, str] | None) -> None:
    assert difference(one, other) == expected


def test_another_order_is_told_from_other_words() -> None:
    assert remedy(["a b"], ["b a"]).startswith(ORDER)
    assert remedy(["a b"], ["b c"]).startswith(TIME)
