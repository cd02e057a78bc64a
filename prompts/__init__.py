"""Prompt fragments that the task YAMLs include; a package so that they ship beside qbench.tasks."""
