"""Calls, shared state, the disk cache, debug mode."""
