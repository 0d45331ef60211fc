"""The server's MySQL: which rows it takes, and which texts it holds for the same.

The tables are utf8mb4, but the connection of a stock server is ``charset=utf8``, which has three bytes for a
letter: an emoji is no letter there. What does not fit is an error of the insert, when the Workflow has been
created.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum

from rehearsal.kfp.requests import INTERNAL, ApiError

LENGTHS = {"DisplayName": 255, "Description": 255, "ServiceAccount": 255}  # the others are LONGTEXT
LAST_OF_UTF8 = "\uffff"
UNREACHABLE = "dial tcp: connect: connection refused"


class Health(StrEnum):
    """How a database is."""

    WELL = "well"
    DEAD = "dead"
    READ_ONLY = "read-only"


PROBLEMS = {
    Health.WELL: "",
    Health.DEAD: UNREACHABLE,
    Health.READ_ONLY: "Error 1290 (HY000): The MySQL server is running with the --read-only option",
}


class Database:
    """What an insert comes to. ``utf8mb4``: whether the server's connection has the whole of Unicode."""

    def __init__(self) -> None:
        self.utf8mb4 = False
        self.health = Health.WELL

    def insert(self, what: str, row: Mapping[str, str], taken: str = "", health: Health | None = None) -> None:
        """Takes the texts of a row, by column. ``taken`` is its key if there is such a row already.

        Raises:
            ApiError: it does not take them. ``what`` is what was to be stored.
        """
        if problem := PROBLEMS[health or self.health] or self._problem(row, taken):
            raise ApiError(INTERNAL, f"InternalServerError: Failed to store {what} to table: {problem}")

    def _problem(self, row: Mapping[str, str], taken: str) -> str:
        for column, text in row.items():
            foreign = next((letter for letter in text if letter > LAST_OF_UTF8), "")
            if foreign and not self.utf8mb4:
                shown = "".join(f"\\x{byte:02X}" for byte in foreign.encode())
                return f"Error 1366 (22007): Incorrect string value: '{shown}' for column '{column}' at row 1"
            if len(text) > LENGTHS.get(column, len(text)):
                return f"Error 1406 (22001): Data too long for column '{column}' at row 1"
        return f"Error 1062 (23000): Duplicate entry '{taken}' for key 'PRIMARY'" if taken else ""


def collated(text: str) -> str:
    """What the tables' collation compares in the place of a text: without case, accents, and spaces at the end."""
    letters = unicodedata.normalize("NFD", text.rstrip(" "))
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).upper()
