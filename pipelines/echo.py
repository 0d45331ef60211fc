"""The sample of the walk-through: two steps in sequence that hand on a file's name."""

from kfp import dsl

from pipelines.images import PYTHON


@dsl.component(base_image=PYTHON)
def receive(filename: str) -> str:
    """Takes the file name and hands it on."""
    print(f"received {filename}")
    return filename


@dsl.component(base_image=PYTHON)
def echo(filename: str) -> str:
    """Prints the file name that the first step handed on."""
    print(filename)
    return filename


@dsl.pipeline(name="echo", description="Echoes the name of the file that started the run.")
def pipeline(filename: str) -> str:
    """Echoes the name of the file that started the run."""
    received = receive(filename=filename)
    return echo(filename=received.output).output
