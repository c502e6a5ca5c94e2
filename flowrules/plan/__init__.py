"""Workflow, targets, disk and history to a plan: what to run and why."""
