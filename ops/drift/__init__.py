"""Drift: what stands in the project, against the manifest that was reviewed. Read-only."""
