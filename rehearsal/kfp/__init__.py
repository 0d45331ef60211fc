"""A Kubeflow Pipelines API server, and the proxy before it."""
