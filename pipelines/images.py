"""The image that the sample components run in."""

# Pinned, so that a run next year is the run of today. Plain Python on purpose: kfp then installs itself when a
# step starts (one wheel, no dependencies). A cluster without access to a package index needs an image of its own
# with kfp in it, and install_kfp_package=False on the components.
PYTHON = "python:3.13.5-slim-bookworm"
