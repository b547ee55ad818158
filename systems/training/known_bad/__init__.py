"""The broken parts of training's known bugs, each wrong in one way."""
