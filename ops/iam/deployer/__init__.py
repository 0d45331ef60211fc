"""What deploying a stack takes of whoever does it."""
