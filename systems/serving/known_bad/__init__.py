"""Known-bad parts, each wrong in one way: those of Serving's known bugs, and of `FlakyServing` and `FragileServing`."""
