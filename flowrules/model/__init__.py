"""The nouns of a workflow as values: what the core and the edges share."""
