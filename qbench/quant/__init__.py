"""Putting a level into a model, and proving that it is there."""
