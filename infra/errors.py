"""The error that a person can mend: it names the key or file, the problem and the fix."""


class ConfigurationError(Exception):
    """Something in the stack's configuration or in a pipeline is wrong. Shown without a traceback."""
