"""Everything a person or a program reads from us."""
