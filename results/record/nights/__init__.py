"""The history: what every night measured, in a database. It is SQLite in one file, or PostgreSQL by its URL."""
