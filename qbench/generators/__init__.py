"""What YAML cannot say: documents with planted facts, puzzles with one solution, typos of a given strength. One craft, one file."""
