"""The pipelines that triggers start. One file, one pipeline: ``pipeline: echo`` is ``echo.py``'s."""
