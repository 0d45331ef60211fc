"""What is deployed: pipelines compiled and checked against their mapping, and the function's archive."""
