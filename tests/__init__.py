"""Tests, in folders named after the packages that they test; start with ``test_structure.py``."""
