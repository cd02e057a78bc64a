"""``python -m qbench``."""

from qbench.cli import main

raise SystemExit(main())
