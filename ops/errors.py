"""The errors that are shown without a traceback: a command cannot do its work, and says why and what to do."""

from __future__ import annotations

import errno

FIXES = {
    errno.EROFS: "work in a checkout that can be written",
    errno.EACCES: "work in a checkout that is yours to read and write",
    errno.EPERM: "work in a checkout that is yours to read and write",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
}


class OperationError(Exception):
    """Shown without a traceback."""


def explain_os_error(error: OSError) -> str | None:
    """What a person can mend about a file or a disk, in a sentence; None of anything else, as of a connection."""
    if error.filename and error.errno in FIXES:
        return f"{error.filename}: {error.strerror}; {FIXES[error.errno]}"
    if "No usable temporary directory" in str(error.strerror):  # tempfile names no file and calls it ENOENT
        return "there is no directory for temporary files that can be written; name one in TMPDIR"
    return None
