"""The cloud on one machine: stand-ins, and the environment that a rehearsal runs in."""
