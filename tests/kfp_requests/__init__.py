"""Requests to a KFP API server, and what the real one answered: our stand-in is held to it, and can be compared."""
