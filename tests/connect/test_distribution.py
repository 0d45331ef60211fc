"""The client stands alone: one pip line brings all that it needs, and it looks for nothing of this repository."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PathDistribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from rehearsal.google.metadata import Tokens
from rehearsal.google.oauth import OAuth
from rehearsal.kfp.server import KfpEndpoint
from rehearsal.program import ROOT
from tests.conftest import Serve
from tests.connect.conftest import KEYED
from tests.examples.conftest import read_notebook
from tests.keys import KEY_ID, make_key
from tests.test_rooms import imports, modules

OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
LITTER = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")  # of an installation from the checkout itself
PROVIDERS = {"google": "google-auth", "kfp_server_api": "kfp-server-api", "yaml": "PyYAML"}  # else of the same name
# What was imported from the repository, but for what is installed in its environment.
FOREIGN = """
import sys
files = {name: str(getattr(module, "__file__", None)) for name, module in sys.modules.items()}
print([name for name, file in files.items() if file.startswith(ROOT) and "site-packages" not in file])
"""


def cells(notebook: str, *wanted: str) -> list[str]:
    return ["".join(cell["source"]) for cell in read_notebook(notebook).cells if cell["id"] in wanted]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the notebooks' first cell installs, without the dependencies, into an empty directory."""
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "connect", checkout / "connect", ignore=LITTER)
    (checkout / "examples").mkdir()
    [line] = {*cells("connect_key_file", "install"), *cells("connect_runtime", "install")}
    command = [
        sys.executable,
        "-m",
        *shlex.split(line.removeprefix("%")),
        *OFFLINE,
        "--target",
        str(checkout / "site"),
    ]
    subprocess.run(command, cwd=checkout / "examples", check=True)
    return checkout / "site"


@pytest.fixture(scope="module")
def distribution(site: Path) -> Distribution:
    [info] = site.glob("*.dist-info")
    return PathDistribution(info)


def test_it_holds_its_modules_and_nothing_under_the_old_name(site: Path, distribution: Distribution) -> None:
    sources = {path.name for path in (ROOT / "connect" / "kfp_connect").iterdir() if path.is_file()}
    assert {path.name for path in (site / "kfp_connect").iterdir() if path.is_file()} == sources
    assert "py.typed" in sources
    assert {path.name for path in site.iterdir()} == {"kfp_connect", f"kfp_connect-{distribution.version}.dist-info"}


def test_it_has_the_version_of_what_it_comes_with(distribution: Distribution) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert distribution.version == project["version"]


def test_it_requires_what_it_imports_in_ranges_and_those_of_here_are_in_them(distribution: Distribution) -> None:
    required = {requirement.name: requirement for requirement in map(Requirement, distribution.requires or [])}
    imported = {name.split(".")[0] for path in modules("kfp_connect") for name in imports(path)}
    others = imported - sys.stdlib_module_names - {"kfp_connect"}
    assert {*required} == {PROVIDERS.get(name, name) for name in others}
    for name, requirement in required.items():
        assert {bound.operator for bound in requirement.specifier} - {"!="} == {">=", "<"}
        assert version(name) in requirement.specifier


def test_it_connects_where_there_is_no_repository(site: Path, tmp_path: Path, serve: Serve) -> None:
    tokens = Tokens()
    oauth = OAuth(tokens)
    oauth.add_key(KEYED, KEY_ID, make_key().public)
    (tmp_path / "key.json").write_text(make_key().file(KEYED, f"{serve(oauth.app)}/token"))
    endpoint = serve(KfpEndpoint(tokens.principal).app)
    packages = Path(pytest.__file__).parents[1]
    program = "\n".join([*cells("connect_key_file", "connect", "wrong"), f"ROOT = {str(ROOT)!r}", FOREIGN])
    # -S: so that the repository is on no path, being installed in this environment as it lies there.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{site}{os.pathsep}{packages}", "HOME": str(tmp_path), "KF_PIPELINES_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    connected, wrong, foreign = done.stdout.splitlines()
    assert connected == f"{KEYED} is connected to Kubeflow Pipelines 2.17.0"
    assert wrong.startswith("no-such-key.json is not there; name a file that is")
    assert foreign == "[]"
