"""Syntax of values to functions that compute them: pure, metered, without a way to Python objects."""
