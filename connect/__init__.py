"""The old name of ``kfp_connect``, in this repository's environment alone, for notebooks that say it.

It is no part of the distribution that connect/pyproject.toml describes, and hands on four names and no module.
"""

from kfp_connect import Client, ConnectError, Problem, connect

__all__ = ["Client", "ConnectError", "Problem", "connect"]
