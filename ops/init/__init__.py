"""`pipeline-trigger init`: a stack that is right from the start, with a pipeline and a sample of an event."""
