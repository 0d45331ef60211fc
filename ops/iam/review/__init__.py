"""What a reviewer asks: what changed, whether anything may that never should, and why somebody may."""
