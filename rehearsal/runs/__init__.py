"""How runs are executed: each package in a process, each step in an environment of its own."""
