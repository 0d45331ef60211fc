"""What is made: the resources of a stack, and the permissions between them."""
