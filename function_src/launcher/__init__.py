"""The launcher: turns one delivery of an event into at most one pipeline run."""
