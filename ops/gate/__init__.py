"""The gate of pull requests: base code that judges what a pull request's code claims, and who has reviewed it."""
