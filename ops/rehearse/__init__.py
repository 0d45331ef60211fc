"""Rehearsals and chaos, as stories that people watch."""
