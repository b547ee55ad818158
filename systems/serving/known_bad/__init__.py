"""What is known to be wrong, each in one way: the parts of Serving's known bugs, and the replica of `FlakyServing`."""
