"""The history: what every night measured, in a database. SQLite in one file, or PostgreSQL by its URL."""
