"""Connects to a Pipelines endpoint from anywhere: a notebook, a laptop, a runtime, a machine with a key file."""

from connect.client import Client
from connect.connecting import connect
from connect.problems import ConnectError, Problem

__all__ = ["Client", "ConnectError", "Problem", "connect"]
