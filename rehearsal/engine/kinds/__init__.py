"""What a provider knows of each type of resource that stacks have, and what the API behind it does."""
