"""The manifest: what is kept in git of the permissions of a stack."""
