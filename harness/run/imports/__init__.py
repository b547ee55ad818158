"""What the history of nights can take in. Each file in this folder reads one kind of file: `takes(file)` and `read(file)`."""
