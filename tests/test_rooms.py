"""Who may know whom: the rooms of the project and the doors between them."""

import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import connect
import kfp_connect
from tests.watch.sitecustomize import is_a_user_s

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "benchmarks",
    "connect",
    "function_src",
    "infra",
    "kfp_connect",
    "ops",
    "pipelines",
    "policy",
    "rehearsal",
    "tests",
)
ALLOWED = {
    "benchmarks": {"infra", "rehearsal"},
    "function_src": set(),
    "infra": {"function_src"},
    "kfp_connect": set(),
    "pipelines": set(),
    "policy": set(),
    "rehearsal": {"infra"},
    "ops": {"function_src", "infra", "kfp_connect", "pipelines", "policy", "rehearsal"},
}
ELSEWHERE = {"kfp_connect": "connect/kfp_connect"}  # the rooms that are not folders of the root
PURE_LAUNCHER_MODULES = {
    f"function_src.launcher.{module}"
    for module in (
        "mapping.condition",
        "mapping.expression",
        "mapping.fitting",
        "mapping.functions",
        "mapping.glob",
        "mapping.parameters",
        "mapping.schema",
        "objects",
        "origin",
        "pace",
        "package",
        "storable",
    )
}
LONGEST_MODULE = 300
FULL = 13  # modules in a folder
FLAT_LAUNCHER = 24


def imports(path: Path) -> Iterator[str]:
    """The absolute imports of a module, wherever they stand in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)


def folder(room: str) -> Path:
    return ROOT / ELSEWHERE.get(room, room)


def modules(room: str) -> list[Path]:
    """The product's modules in a room, and none of the pipelines that a user added."""
    found = sorted(path for path in folder(room).rglob("*.py") if ".venv" not in path.relative_to(ROOT).parts)
    return [path for path in found if not is_a_user_s(path.relative_to(ROOT))]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_knows_only_the_rooms_it_may(room: str) -> None:
    own = [path for path in modules(room) if "tests" not in path.relative_to(ROOT).parts]  # of the policy pack
    known = {name.split(".")[0] for path in own for name in imports(path)}
    assert known & set(ROOMS) - {room} <= ALLOWED[room]


def test_the_program_takes_only_the_pure_modules_from_the_launcher() -> None:
    taken = {name for path in modules("infra") for name in imports(path) if name.startswith("function_src")}
    assert taken == PURE_LAUNCHER_MODULES


def test_what_is_asked_for_and_what_is_deployed_need_no_pulumi() -> None:
    """So that commands which only read a stack file start without it."""
    floors = [
        *(ROOT / "infra" / f"{name}.py" for name in ("advice", "check", "cron", "errors", "syntax")),
        *modules("infra/configuration"),
        *modules("infra/mapping"),
        *modules("infra/package"),
    ]
    assert not {name for path in floors for name in imports(path) if name.startswith("pulumi")}


@pytest.mark.parametrize(
    ("floor", "below"),
    [
        ("errors", set()),
        ("syntax", set()),
        ("dialect", set()),
        ("configuration", {"cron", "dialect", "errors", "syntax"}),
        ("mapping", {"errors", "syntax"}),
        ("package", {"errors", "syntax"}),
        ("check", {"configuration", "errors", "mapping", "package", "syntax"}),
        ("resources", {"check", "configuration", "errors", "package"}),
    ],
)
def test_the_program_has_floors_and_each_knows_only_those_below(floor: str, below: set[str]) -> None:
    inside = modules(f"infra/{floor}") or [ROOT / "infra" / f"{floor}.py"]
    known = {name.split(".")[1] for path in inside for name in imports(path) if name.startswith("infra.")}
    assert known - {floor} <= below


@pytest.mark.parametrize(
    ("floor", "below"),
    [
        ("deployer", set()),
        ("catalogue", set()),
        ("reading", set()),
        ("paths", {"catalogue", "reading"}),
        ("comparing", {"catalogue", "paths", "reading"}),
        ("kept", {"catalogue", "comparing", "deployer", "paths", "reading"}),
        ("review", {"catalogue", "comparing", "kept", "paths", "reading"}),
    ],
)
def test_the_review_of_permissions_has_floors_and_each_knows_only_those_below(floor: str, below: set[str]) -> None:
    known = {
        name.split(".")[2]
        for path in modules(f"ops/iam/{floor}")
        for name in imports(path)
        if name.startswith("ops.iam.")
    }
    assert known - {floor} <= below


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_within_a_room_know_each_other_in_one_direction(room: str) -> None:
    doors: dict[str, set[str]] = {}
    for path in modules(room):
        here = path.relative_to(folder(room)).with_suffix("").parts[0]
        inside = (name.split(".")[1] for name in imports(path) if name.startswith(f"{room}.") and name.count(".") > 0)
        doors.setdefault(here, set()).update(name for name in inside if name != here)
    assert list(TopologicalSorter(doors).static_order())


@pytest.mark.parametrize("room", ALLOWED)
def test_a_folder_is_short_enough_to_find_a_module_by_its_name(room: str) -> None:
    sizes = Counter(path.parent for path in modules(room) if path.name != "__init__.py")
    flat = ROOT / "function_src" / "launcher"
    assert not {folder: size for folder, size in sizes.items() if size > (FLAT_LAUNCHER if folder == flat else FULL)}


@pytest.mark.parametrize("room", ALLOWED)
def test_a_module_is_imported_from_where_it_is(room: str) -> None:
    """No folder passes on what its modules define: a name has one home. What users import is the exception."""
    shims = [path for path in modules(room) if path.name == "__init__.py" and [*imports(path)]]
    assert [path.parent.name for path in shims] == (["kfp_connect"] if room == "kfp_connect" else [])


def test_the_old_name_of_the_client_stands_for_the_new_one() -> None:
    assert [*imports(ROOT / "connect" / "__init__.py")] == ["kfp_connect"]
    assert connect.__all__ == kfp_connect.__all__
    assert all(getattr(connect, name) is getattr(kfp_connect, name) for name in kfp_connect.__all__)


def test_the_function_imports_nothing_that_it_does_not_require() -> None:
    allowed = {"flask", "werkzeug", "certifi", "fastjsonschema", "jmespath", "urllib3", "launcher"}
    third_party = {name.split(".")[0] for path in modules("function_src") for name in imports(path)}
    assert third_party - sys.stdlib_module_names - {"__future__"} <= allowed


def test_the_function_requires_five_packages_and_the_time_zones() -> None:
    """The image of a function need not have the zones; they are files, read where an expression asks for one."""
    lines = (ROOT / "function_src" / "requirements.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "certifi",
        "fastjsonschema",
        "functions-framework",
        "jmespath",
        "tzdata",
        "urllib3",
    ]


@pytest.mark.parametrize("module", ["declarations.py", "resources.py", "rules.py"])
def test_the_rules_need_nothing_but_python(module: str) -> None:
    assert {name.split(".")[0] for name in imports(ROOT / "policy" / module)} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    "name",
    [
        "infra/requirements.txt",
        "function_src/requirements.txt",
        "policy/requirements.txt",
        "policy/requirements-dev.txt",
        "requirements-dev.txt",
        *(f"benchmarks/functions/{name}/requirements.txt" for name in ("floor", "vertex_sdk", "walkthrough")),
    ],
)
def test_requirements_are_pinned_with_hashes_and_name_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert "://" not in text


def test_the_program_and_the_tests_run_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}

    assert pins("infra/requirements.txt") <= pins("requirements-dev.txt")


def test_modules_stay_small_enough_to_read() -> None:
    long = {
        path.name for room in ALLOWED for path in modules(room) if len(path.read_text().splitlines()) > LONGEST_MODULE
    }
    assert not long


def test_the_command_is_installed_under_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"pipeline-trigger": "ops.__main__:main"}
