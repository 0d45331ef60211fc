"""Pulumi's verbs, after a check that they can do their work here."""
