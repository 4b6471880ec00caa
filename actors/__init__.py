"""Understudy's daemon: actors that decide who serves, and the planes that make it so."""
