"""What a stack's permissions are, read out of resources and out of previews."""
