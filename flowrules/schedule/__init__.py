"""Which job starts when and where: a pure core fed with events."""
