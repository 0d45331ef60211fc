"""The options that say where and as whom to connect, which many commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer

from infra.configuration.stack_file import find_stack
from infra.errors import ConfigurationError
from ops.endpoint.refusals import mend, refusal
from ops.errors import OperationError

Way = Literal["default", "metadata", "key-file", "impersonate", "token"]
Source = Literal["default", "metadata", "key-file"]
PANEL = "Where, and as whom"


def _option(help_text: str) -> Any:
    return typer.Option(help=help_text, rich_help_panel=PANEL)


def _where_and_whom(
    host: Annotated[str | None, _option("https://HOST; else the stack's, else KF_PIPELINES_ENDPOINT.")] = None,
    stack: Annotated[
        str | None, _option("A stack, or its file, whose KFP target is the endpoint; no default.")
    ] = None,
    trigger: Annotated[str | None, _option("The trigger of the stack; else its first with a KFP target.")] = None,
    audience: Annotated[str | None, _option("What Identity-Aware Proxy wants ID tokens for.")] = None,
    credentials: Annotated[
        Way | None,
        _option("Else what --key-file or --account go with, KF_PIPELINES_TOKEN, or what the endpoint needs."),
    ] = None,
    key_file: Annotated[str | None, _option("For key-file; else GOOGLE_APPLICATION_CREDENTIALS.")] = None,
    account: Annotated[str | None, _option("For impersonate: whom to act as.")] = None,
    source: Annotated[Source, _option("For impersonate: who acts.")] = "default",
    namespace: Annotated[str, _option("For installations with several users.")] = "",
    ca_file: Annotated[str | None, _option("Certificates of an authority of your own.")] = None,
) -> None:
    """Only its parameters are used. A token comes from KF_PIPELINES_TOKEN: an option could be read by others."""


OPTIONS = inspect.signature(_where_and_whom, eval_str=True).parameters


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options; it gets their values as its first argument, a mapping for ``connect()``."""

    @functools.wraps(command)
    def run(**given: Any) -> None:
        options = {name: given.pop(name) for name in OPTIONS}
        if options["stack"] is not None:  # a name is a stack of this checkout, as for every command
            options["stack"] = str(find_stack(options["stack"]))
        with mendable_errors():
            command(options, **given)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    shared = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in OPTIONS.values()]
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]  # typer reads it from there
    return run


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """As :func:`with_options`, for a command whose first argument is a client."""

    @functools.wraps(command)
    def run(options: dict[str, Any], **given: Any) -> None:
        from kfp_connect import connect

        command(connect(**options), **given)

    run.__signature__ = inspect.signature(command, eval_str=True)  # type: ignore[attr-defined]  # what typer reads, and typeshed does not know
    return with_options(run)


@contextmanager
def mendable_errors() -> Iterator[None]:
    """Makes of what the endpoint refuses, and of a wrong stack file, one message and no traceback."""
    from kfp_server_api import ApiException

    from kfp_connect import ConnectError, Problem

    try:
        yield
    except ConnectError as error:
        wrong_file = error.problem in (Problem.NOT_A_STACK, Problem.BAD_STACK)
        raise (ConfigurationError if wrong_file else OperationError)(str(error)) from None
    except ApiException as error:
        raise OperationError("; ".join(filter(None, (refusal(error), mend(error))))) from None
