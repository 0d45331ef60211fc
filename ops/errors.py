"""The error of a command that cannot do its work, and says why and what to do."""


class OperationError(Exception):
    """Shown without a traceback."""
