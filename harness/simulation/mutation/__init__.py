"""Small changes of a system's code, to see which of them simulation does not notice."""
