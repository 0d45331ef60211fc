"""The real Pulumi engine, on a substitute of the Google Cloud provider: what no mock refuses, it does."""
