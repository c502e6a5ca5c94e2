"""The composition root: puts core and edges together, and runs the loop between them."""
