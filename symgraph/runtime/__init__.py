"""Calls of compiled functions: arguments checked and converted, shared state, the callable."""
