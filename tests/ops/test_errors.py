"""What a disk or its rights keep a command from is said in a sentence."""

import errno
import os
import sys

import pytest

from ops import cli
from ops.rehearse import rehearse


def said(error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(rehearse, "rehearse_stack", fail)
    monkeypatch.setattr(sys, "argv", ["pipeline-trigger", "rehearse", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    output = capsys.readouterr()
    return output.out + output.err


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.EROFS, "work in a checkout that can be written"),
        (errno.EACCES, "work in a checkout that is yours to read and write"),
        (errno.ENOSPC, "make room on the disk"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_with_the_fix(
    number: int, fix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "/checkout/.cache")
    assert said(error, monkeypatch, capsys) == f"error: /checkout/.cache: {os.strerror(number)}; {fix}\n"


def test_a_script_is_told_in_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(errno.EROFS, "Read-only file system", "/checkout/.cache")
    assert '"kind": "operation", "message": "/checkout/.cache: Read-only' in said(
        error, monkeypatch, capsys, "--json"
    )


def test_a_machine_without_a_place_for_temporary_files_is_told_of_tmpdir(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
    assert said(error, monkeypatch, capsys).endswith("can be written; name one in TMPDIR\n")


def test_a_connection_that_breaks_is_no_matter_of_the_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConnectionResetError):
        said(ConnectionResetError(errno.ECONNRESET, "reset"), monkeypatch, capsys)
