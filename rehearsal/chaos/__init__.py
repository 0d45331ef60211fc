"""Everything that can go wrong between an event and its run, and the count of what came of it."""
