"""The pipelines that `init` starts from. Each is copied as it stands here, and is whoever's it becomes."""
