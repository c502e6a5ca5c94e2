"""Pages: values become self-contained HTML documents that ask no network for anything."""
