"""`pipeline-trigger try`: one event to its parameters, with no cloud and no waiting."""
