"""A small file for each client."""
