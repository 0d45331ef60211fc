"""Who can become whom, and start runs as whom: by which grants and through which things."""
