"""Syntax trees and config files to a checked Workflow."""
