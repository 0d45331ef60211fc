"""What became of events, and replaying those that did not launch."""
