"""Importers for the history of nights. Each module here reads one kind of file: `takes(file)` and `read(file)`."""
