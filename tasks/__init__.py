"""Task YAMLs and fact tables; a package so that every kind of install finds them under qbench.tasks."""
