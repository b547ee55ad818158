"""Parts of a training that are wrong in one way each."""
