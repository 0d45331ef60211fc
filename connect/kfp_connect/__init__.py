"""Connects to a Pipelines endpoint from anywhere: a notebook, a laptop, a runtime, a machine with a key file."""

from kfp_connect.client import Client
from kfp_connect.connecting import connect
from kfp_connect.problems import ConnectError, Problem

__all__ = ["Client", "ConnectError", "Problem", "connect"]
