"""Runs the example notebooks as Jupyter would, in a cloud of stand-ins.

The notebooks do not know: what leads them there are environment variables and, where Google's libraries have an
address written into them, a module that Python imports whenever it starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from rehearsal.google.metadata import Tokens
from rehearsal.google.oauth import OAuth, person_file
from rehearsal.loopback import Loopback
from rehearsal.program import ROOT

PERSON = "ada@acme.example"
PATIENCE = 120  # seconds for a cell, after which a test fails instead of hanging
REDIRECT = """import google.oauth2.credentials
google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT = {token_uri!r}
"""

Play = Callable[..., dict[str, str]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Executes a notebook from start to end; returns what each cell printed, by the cell's id."""

    def run(name: str, environment: Mapping[str, str]) -> dict[str, str]:
        notebook = read_notebook(name)
        # pip would ask an index. tests/connect/test_distribution.py does what this cell does, without one.
        notebook.cells = [cell for cell in notebook.cells if cell["id"] != "install"]
        # Of the surroundings only what a program needs to run: with their credentials a cell would reach production.
        inherited = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ", "TMPDIR") if key in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        home = str(tmp_path)
        own = {"HOME": home, "CLOUDSDK_CONFIG": home, "PYTHONPATH": home}
        client = NotebookClient(
            notebook, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        )
        client.execute(env={**inherited, "PATH": path, **own, "NO_GCE_CHECK": "true", **environment})
        return {cell["id"]: _printed(cell) for cell in notebook.cells if cell.cell_type == "code"}

    return run


@pytest.fixture
def sign_in(tmp_path: Path, loopback: Loopback) -> Callable[[Tokens], None]:
    """Does what `gcloud auth application-default login` does, at a server that gives the tokens of a cloud."""

    def login(tokens: Tokens) -> None:
        oauth = OAuth(tokens)
        (tmp_path / "application_default_credentials.json").write_text(person_file(oauth.sign_in(PERSON)))
        (tmp_path / "sitecustomize.py").write_text(REDIRECT.format(token_uri=f"{loopback.serve(oauth.app)}/token"))

    return login


def read_notebook(name: str) -> nbformat.NotebookNode:
    """A notebook as it is kept."""
    path = ROOT / "examples" / f"{name}.ipynb"
    found: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # has few types
    return found


def _printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
