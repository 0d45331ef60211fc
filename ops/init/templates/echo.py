"""Two steps in sequence that hand on a file's name: to see that events start runs."""

from kfp import dsl

from pipelines.images import PYTHON


@dsl.component(base_image=PYTHON)
def receive(filename: str) -> str:
    """Takes the file's name and hands it on."""
    print(f"received {filename}")
    return filename


@dsl.component(base_image=PYTHON)
def echo(filename: str) -> str:
    """Prints what the first step handed on."""
    print(filename)
    return filename


@dsl.pipeline(name="echo-a-name", description="Echoes the name of a file.")
def pipeline(filename: str) -> str:
    """Echoes the name of a file."""
    received = receive(filename=filename)
    return echo(filename=received.output).output
