"""Tests of symgraph.autodiff: values by the references of ops, derivatives by differences."""
