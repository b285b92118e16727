"""The author's own files, read and written."""
