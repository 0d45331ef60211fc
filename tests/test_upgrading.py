"""A newer version is merged over a user's files without touching them: what docs/upgrading.md says, done with git."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rehearsal.program import ROOT

OWNED = {
    "Pulumi.dev.yaml": "config: {}\n",
    "iam/dev.json": "[]\n",
    "iam/dev.md": "# dev\n",
    "samples/dev/a.json": "{}\n",
}

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def change(repository: Path, who: str, *names: str) -> None:
    for name in names:
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {who}\n{path.read_text() if path.exists() else ''}")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", f"change of the {who}")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's clone with files of theirs, and a newer version of the product that changed its samples of them."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    for name, text in {**OWNED, "README.md": "product\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    change(tmp_path, "first version", "VERSION")
    git(tmp_path, "switch", "--quiet", "--create", "newer")
    change(tmp_path, "product", *OWNED, "README.md", "pipelines/sample.py")
    git(tmp_path, "switch", "--quiet", "main")
    change(tmp_path, "user", *OWNED, "pipelines/mine.py")
    return tmp_path


def merge_of_the_page(version: str) -> list[str]:
    (shown,) = re.findall(r"^git (.* merge) v\S+", (ROOT / "docs" / "upgrading.md").read_text(), re.MULTILINE)
    return [*shown.split(), "--quiet", version]


def test_a_merge_keeps_what_the_user_owns_and_takes_the_rest(repository: Path) -> None:
    git(repository, *merge_of_the_page("newer"))
    assert {name: (repository / name).read_text().splitlines()[0] for name in OWNED} == dict.fromkeys(OWNED, "# user")
    assert (repository / "README.md").read_text() == "# product\nproduct\n"
    assert all((repository / "pipelines" / name).exists() for name in ("mine.py", "sample.py"))


def test_without_the_setting_git_asks_and_loses_nothing(repository: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "--quiet", "newer")
    git(repository, "checkout", "--ours", *OWNED)
    assert (repository / "iam" / "dev.json").read_text().startswith("# user")


def test_stacks_that_are_the_product_s_take_the_newer_version(repository: Path) -> None:
    names = ("examples/Pulumi.orders.yaml", "tests/stacks/Pulumi.dev.yaml", "tests/stacks/iam/dev.md")
    assert git(repository, "check-attr", "merge", *names).count("unspecified") == len(names)
