"""What is said of a failed task begins with its exception, and never in the middle of something."""

import pytest

from rehearsal.runs.failures import TAIL_LINES, printed, summarise

HEAD = """\
02:52:44.986 - INFO - Executing task 'load'
02:52:44.987 - INFO - Streamed logs:

    [KFP Executor 2026-11-26 02:52:46,368 INFO]: Looking for component `load` in --component_module_path `/tmp/x/y.py`
    [KFP Executor 2026-11-26 02:52:46,370 INFO]: Got executor_input:
    {
        "inputs": {
            "parameterValues": {
                "uri": "x"
            }
        },
        "outputs": {}
    }
"""
TAIL = """\


02:52:46.387 - ERROR - Task 'load' finished with status FAILURE
--------------------------------------------------------------------------------
"""
OF_THE_EXECUTOR = """\
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "/a/.venv/lib/python3.11/site-packages/kfp/dsl/executor.py", line 453, in execute
    result = self.func(**func_kwargs)
             ^^^^^^^^^^^^^^^^^^^^^^^^
"""
OWN = """\
  File "/tmp/kfp-run-1/tmp.2/ephemeral_component.py", line 8, in load
    raise ValueError("no such thing")
"""
SHOWN = OWN.replace("/tmp/kfp-run-1/tmp.2/", "")


def log(printed: str) -> str:
    """As kfp.local shows what a task printed."""
    return HEAD + "".join(f"    {line}\n" if line else "\n" for line in printed.splitlines()) + TAIL


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (OF_THE_EXECUTOR + OWN + "ValueError: no such thing\n", f"ValueError: no such thing\n{SHOWN}"),
        (
            OF_THE_EXECUTOR + OWN + "ValueError: no such thing\nreading 0\nreading 1\n",
            f"ValueError: no such thing\n{SHOWN}reading 0\nreading 1",
        ),
        (
            f"{OF_THE_EXECUTOR}{OWN}KeyError: 'a'\n\nWhile handling:\n\n{OF_THE_EXECUTOR}{OWN}RuntimeError: b\n",
            f"RuntimeError: b\n{SHOWN}",
        ),
        (
            "ERROR: Could not find a version\nERROR: No matching distribution\n",
            "ERROR: No matching distribution\nERROR: Could not find a version",
        ),
        ("reading\nout of luck\n", "reading\nout of luck"),
        ('{\n  "mine": 1\n}\n', '{\n  "mine": 1\n}'),
        ("", ""),
    ],
    ids=["exception", "printed after it", "chained", "pip", "no exception", "its own JSON", "nothing"],
)
def test_the_exception_comes_first_and_of_kfp_s_own_lines_none(printed: str, said: str) -> None:
    assert summarise(log(printed)) == said.rstrip("\n")


def test_an_error_of_kfp_local_itself_comes_first_too() -> None:
    """Such as an importer's, which streams nothing."""
    failed = (
        "02:52:44.986 - INFO - Executing task 'importer'\nFileNotFoundError: cannot import gs://a/b: 404 Not Found"
    )
    assert summarise(failed) == "FileNotFoundError: cannot import gs://a/b: 404 Not Found"


def test_what_the_run_s_own_process_says_keeps_its_frames() -> None:
    failed = 'Traceback (most recent call last):\n  File "/a/run.py", line 1, in main\n    main()\nParseError: odd\n'
    assert summarise(failed) == 'ParseError: odd\n  File "/a/run.py", line 1, in main\n    main()'


def test_a_deep_traceback_is_shown_from_a_whole_frame_on() -> None:
    frames = "".join(
        f'  File "/tmp/x/ephemeral_component.py", line {line}, in f\n    f()\n    ^^^\n' for line in range(30)
    )
    said = summarise(log(f"{OF_THE_EXECUTOR}{frames}RecursionError: too deep\n")).splitlines()
    assert said[0] == "RecursionError: too deep"
    assert said[1].startswith('  File "ephemeral_component.py"')
    assert TAIL_LINES - 3 < len(said) - 1 <= TAIL_LINES


def test_of_a_long_log_without_an_exception_the_end_is_shown() -> None:
    said = summarise(log("".join(f"line {number}\n" for number in range(100)))).splitlines()
    assert said == [f"line {number}" for number in range(100 - TAIL_LINES, 100)]


def test_of_a_task_that_succeeded_what_it_printed_is_told_and_not_what_it_put_out() -> None:
    put_out = "02:52:46.387 - INFO - Task 'load' outputs:\n    Output: 'x'\n    more: 1\n\n"
    assert printed(log("one\n  two\n").replace(TAIL, TAIL + put_out)) == "one\n  two\n"
    assert printed(log("").replace(TAIL, TAIL + put_out)) == "\n"
