"""`make verify`: whether what a user owns is right and current: stack files, pipelines, manifests."""
