"""What preview knows of an event and its content, and whether a mapping fits them and the pipeline. Pure."""
