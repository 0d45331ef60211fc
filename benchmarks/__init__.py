"""What the launcher costs, beside a function that does nothing and what people deploy instead: `make bench`."""
