"""`pipeline-trigger iam`: the stack's permissions as a document to review, and what a change does to them."""
