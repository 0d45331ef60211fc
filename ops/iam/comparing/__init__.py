"""What a change does to permissions, and how that is said."""
