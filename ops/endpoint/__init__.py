"""What people do at a Pipelines endpoint: look at a connection, at runs, pipelines and experiments."""
