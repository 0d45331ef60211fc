"""Looks, before a first deployment, for what would make it fail, and says the command that mends it."""
