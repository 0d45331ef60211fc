"""The tests. Each is named after the promise that it proves."""
