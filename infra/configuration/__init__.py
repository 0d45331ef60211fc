"""What is asked for: a stack's settings, the rules they keep, and what is said when they do not."""
