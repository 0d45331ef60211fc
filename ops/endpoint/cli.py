"""`pipeline-trigger connect`, `runs`, `pipelines` and `experiments`: their arguments, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from ops.endpoint.options import connected, with_options
from ops.findings import show_findings
from ops.options import Json
from ops.printing import open_console, print_json

if TYPE_CHECKING:  # kfp takes two seconds to import, which --help can do without
    from kfp_connect import Client
else:  # and typer reads the annotations of commands when they are defined
    Client = Any

runs = typer.Typer(help="Look at runs, wait for them and stop them.", no_args_is_help=True)
pipelines = typer.Typer(help="Look at uploaded pipelines, and upload more.", no_args_is_help=True)
experiments = typer.Typer(help="Look at experiments.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(help="The run's id, as in the launcher's log and in `runs list`.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most, the latest first.")]
LATEST_FIRST = "created_at desc"


@with_options
def connect(options: dict[str, Any], as_json: Json = False) -> None:
    """Check a connection step by step: the endpoint, the token, the server, and what this account may do."""
    from ops.endpoint.checks import check_connection

    raise typer.Exit(show_findings(check_connection(options), open_console(stderr=as_json), as_json=as_json))


@runs.command("list")
@connected
def list_runs(
    client: Client,
    experiment: Annotated[str | None, typer.Option(help="Only runs of the experiment of this name.")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List runs."""
    from ops.endpoint import show

    experiment_id = show.experiment_id(client, experiment) if experiment else None
    found = client.list_runs(page_size=limit, sort_by=LATEST_FIRST, experiment_id=experiment_id).runs or []
    if as_json:
        print_json(found)
    else:
        show.print_runs(found, open_console())


@runs.command("show")
@connected
def show_run(client: Client, run_id: RunId, as_json: Json = False) -> None:
    """Show one run: its state, since when, its parameters, and why it failed."""
    from ops.endpoint import show

    found = client.get_run(run_id)
    if as_json:
        print_json(found)
    else:
        show.print_run(client, found, open_console())


@runs.command("wait")
@connected
def wait_for_run(
    client: Client,
    run_id: RunId,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds; else as long as the run takes.")] = None,
    every: Annotated[float, typer.Option(min=0, help="Seconds between two looks.")] = 5,
    as_json: Json = False,
) -> None:
    """Wait until a run has ended. Exit status: 0 succeeded or skipped, 3 failed, 4 cancelled, 5 the time is up.

    A run that was stopped before this began to wait has failed: the server does not say why.
    """
    from ops.endpoint import show

    raise typer.Exit(show.wait(client, run_id, timeout, every, open_console(stderr=as_json), as_json=as_json))


@runs.command("terminate")
@connected
def terminate_run(client: Client, run_id: RunId, as_json: Json = False) -> None:
    """Stop a run. It is CANCELING, and FAILED once its steps have stopped: `runs wait` waits for that."""
    client.terminate_run(run_id)
    if as_json:
        print_json({"run_id": run_id, "stopping": True})
    else:
        open_console().print(f"run {run_id} is being stopped")


@pipelines.command("list")
@connected
def list_pipelines(client: Client, limit: Limit = 20, as_json: Json = False) -> None:
    """List uploaded pipelines."""
    from ops.endpoint import show

    found = client.list_pipelines(page_size=limit, sort_by=LATEST_FIRST).pipelines or []
    if as_json:
        print_json(found)
    else:
        show.print_named(found, "pipeline_id", open_console())


@pipelines.command("upload")
@connected
def upload_pipeline(
    client: Client,
    pipeline: Annotated[str, typer.Argument(help="echo for pipelines/echo.py, or the path of a compiled package.")],
    name: Annotated[str | None, typer.Option(help="The pipeline's name at the endpoint; else its own.")] = None,
    as_json: Json = False,
) -> None:
    """Upload a pipeline as a version that is named after its digest. What is there already is left as it is."""
    from ops.endpoint.uploads import upload

    done = upload(client, pipeline, name)
    if as_json:
        print_json(vars(done))
    else:
        state = "was uploaded" if done.new else "is there already"
        open_console().print(f"{escape(done.pipeline)} {done.version} {state}: {done.version_id}")


@experiments.command("list")
@connected
def list_experiments(client: Client, limit: Limit = 20, as_json: Json = False) -> None:
    """List experiments."""
    from ops.endpoint import show

    found = client.list_experiments(page_size=limit, sort_by=LATEST_FIRST).experiments or []
    if as_json:
        print_json(found)
    else:
        show.print_named(found, "experiment_id", open_console())
