"""The disk: files as they are, and what is remembered of runs."""
