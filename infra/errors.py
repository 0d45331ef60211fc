"""The error that a person can mend: it names the key or file, the problem and the fix."""


class ConfigurationError(Exception):
    """Something in the stack's configuration or in a pipeline is wrong. Shown without a traceback."""


def printable(text: str) -> str:
    """Text with an escape for what no terminal shows, such as the end of a line in a key: one problem is one line."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
