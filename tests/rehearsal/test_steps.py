"""What a step installs stays with it: no other step and no command of the project sees it."""

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from infra.package.environments import READY
from rehearsal.runs import steps
from rehearsal.runs.steps import run_step

VERSION = "python3 -c 'import tabulated; print(tabulated.VERSION)'"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Environments in a directory with a name as people have them, and none in the cache of the project."""
    odd = tmp_path / 'it\'s "Jürgens" $HOME'
    odd.mkdir()
    monkeypatch.setattr(steps, "ENVIRONMENTS", odd / "steps")
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return odd


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    """The project's own environment, before and after."""
    before = installed()
    yield
    assert installed() == before


def installed() -> dict[str, str]:
    return {found.metadata["Name"]: found.version for found in distributions(path=[*map(str, site_packages())])}


def site_packages() -> list[Path]:
    return [Path(place) for place in sys.path if place.endswith("site-packages")]


def wheel(directory: Path, version: str, name: str = "tabulated") -> Path:
    path = directory / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"{name}.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return path


def lightweight(script: str, *packages: Path) -> list[str]:
    """A component's command, as kfp writes it."""
    listed = " ".join(f"'{package}'" for package in packages)
    install = f'\nPIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet {listed} && "$0" "$@"\n'
    return ["sh", "-c", install, "sh", "-ec", script]


def test_two_steps_may_want_two_versions_of_one_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("1.0", "2.0", "1.0"):
        assert run_step(lightweight(VERSION, wheel(tmp_path, version))) == 0
    assert capsys.readouterr().out.split() == ["1.0", "2.0", "1.0"]


def test_a_step_may_want_another_version_of_what_the_project_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = VERSION.replace("tabulated", "jmespath")
    assert run_step(lightweight(script, wheel(tmp_path, "0.0.1", "jmespath"))) == 0
    assert capsys.readouterr().out.split() == ["0.0.1"]


def test_a_step_finds_nothing_of_the_project_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_step(["sh", "-ec", "python3 -c 'import pulumi'"]) == 1
    assert "ModuleNotFoundError" in capsys.readouterr().out


def test_what_a_step_installs_by_itself_goes_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = wheel(tmp_path, "3.0")
    assert run_step(["sh", "-ec", f"pip install --quiet '{package}'; {VERSION}"]) == 0
    assert run_step(["sh", "-ec", VERSION]) == 1
    said = capsys.readouterr().out
    assert said.startswith("3.0\n")
    assert "No module named 'tabulated'" in said


def test_what_is_listed_is_installed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = wheel(tmp_path, "1.0")
    command = lightweight(VERSION, package)
    assert run_step(command) == 0
    package.unlink()
    assert run_step(command) == 0
    assert capsys.readouterr().out.split() == ["1.0", "1.0"]


def test_an_installation_that_was_killed_half_way_is_made_anew(
    tmp_path: Path, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = lightweight(VERSION, wheel(tmp_path, "1.0"))
    assert run_step(command) == 0
    [environment] = [path for path in (places / "steps").iterdir() if path.is_dir()]
    (environment / READY).unlink()
    [module] = environment.rglob("tabulated.py")
    module.write_text("half")
    assert run_step(command) == 0
    assert capsys.readouterr().out.split() == ["1.0", "1.0"]


def test_a_package_that_cannot_be_installed_fails_the_step_with_what_pip_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert run_step(lightweight("echo never", tmp_path / "absent-1.0-py3-none-any.whl")) == 1
        said = capsys.readouterr().out
        assert "absent-1.0-py3-none-any.whl" in said
        assert "never" not in said


def test_the_exit_code_and_the_variables_of_a_step_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_step(["sh", "-ec", 'echo "$COLOUR"; exit 7'], {"COLOUR": "blue"}) == 7
    assert capsys.readouterr().out == "blue\n"
    assert "COLOUR" not in os.environ
