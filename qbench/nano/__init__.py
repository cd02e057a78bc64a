"""The reference model that ships with qbench, and the recipe that trains it: a demonstration and a test fixture, no more."""
