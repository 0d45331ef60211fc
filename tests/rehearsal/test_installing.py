"""What cannot be installed is said in one sentence, with what mends it."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.package.environments import explain_pip
from rehearsal.function import install as install_function
from rehearsal.installing import InstallError, install
from rehearsal.loopback import HOST
from rehearsal.program import ROOT

REQUIREMENTS = f"absent==1.0 --hash=sha256:{hashlib.sha256(b'').hexdigest()}\n"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text(REQUIREMENTS)
    return path


def run_program(*arguments: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rehearsal.installing", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_without_a_network_it_says_so_and_nothing_else(tmp_path: Path, requirements: Path) -> None:
    with socket.create_server((HOST, 0)) as nobody:
        address = f"http://{HOST}:{nobody.getsockname()[1]}/simple"
    settings = {"PIP_INDEX_URL": address, "PIP_RETRIES": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    done = run_program(tmp_path / "an environment", requirements, **settings)
    log = tmp_path / "an environment" / "install.log"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {tmp_path}/an environment cannot be made: pip reaches no package index (Connection refused): "
        "connect this machine to the network or name an index that it reaches in PIP_INDEX_URL; "
        f"all that was said is in {log}\n"
    )
    assert "No matching distribution found for absent==1.0" in log.read_text()


def test_where_it_cannot_write_it_names_the_place(requirements: Path) -> None:
    done = run_program(requirements / "environment", requirements)
    assert (done.returncode, done.stdout) == (1, "")
    place = f"{requirements}/environment"
    assert done.stderr == f"error: {place} cannot be made: {place}: Not a directory\n"


def test_a_python_without_ensurepip_is_told_the_package_that_has_it(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian splits it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    with pytest.raises(InstallError, match=rf"has no ensurepip; on Debian and Ubuntu: apt install {package}$"):
        install(tmp_path / "environment", requirements)
    assert not (tmp_path / "environment").exists()


BROKEN = "WARNING: Retrying (...) after connection broken by 'NewConnectionError(': {}')': /simple/a/\n"
NONE = "Could not find a version that satisfies the requirement a==1 (from versions: none)"
HASHES = "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (BROKEN.format("[Errno -2] No such name") + f"ERROR: {NONE}\n", "(No such name): connect"),
        ("ERROR: OSError: Max retries exceeded with url: /a (Caused by ProxyError())\n", "package index: connect"),
        (BROKEN.format("timed out") + f"ERROR: {HASHES}\n    a==1:\n", HASHES),
        (f"ERROR: {NONE}\nERROR: No matching distribution found for a==1\n", NONE),
        ("Error: [Errno 28] No space left on device\n\n", "Error: [Errno 28] No space left on device"),
        ("", "nothing was said"),
    ],
    ids=["no name", "no proxy", "wrong hash", "not there", "no pip", "silence"],
)
def test_only_what_the_network_did_is_blamed_on_it(log: str, sentence: str) -> None:
    assert sentence in explain_pip(log)
    assert ("reaches no package index" in explain_pip(log)) is ("connect" in sentence)


def test_what_is_installed_once_is_used_without_writing(tmp_path: Path, requirements: Path) -> None:
    """In a checkout that may only be read."""
    cache = tmp_path / "cache"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = cache / f"function-{digest}"
    environment.mkdir(parents=True)
    (environment / "complete").touch()
    assert install_function(tmp_path, cache) == environment / "bin" / "python"
    assert list(cache.iterdir()) == [environment]
