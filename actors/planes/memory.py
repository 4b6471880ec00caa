"""A data plane that only remembers."""
