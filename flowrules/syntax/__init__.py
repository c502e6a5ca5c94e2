"""Flowfile text to syntax tree and back."""
