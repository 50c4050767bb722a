"""Scalar mathematics."""
