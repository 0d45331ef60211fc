"""Which permissions a role holds, pinned, so that a review compares what may be done and not names."""
