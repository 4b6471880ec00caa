"""Checker plugins, one file a family. They import ``plugins.api``, the standard library and their protocol's client."""
