"""The one thing that pyproject.toml cannot say: put a .pth file at the top of site-packages."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# Only lines that begin with "import" are executed. The guard is for an interrupted uninstall, where the module is gone and
# the line is not: every Python of the environment would complain at every start.
STARTUP_LINE = "import os; exec('try: import _qbench_startup\\nexcept ImportError: pass')\n"


class BuildWithBridge(build_py):
    """Adds qbench.pth to wheels, so that the plain ``lm_eval`` command finds qbench; pip uninstalls it like any file."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            Path(self.build_lib, "qbench.pth").write_text(STARTUP_LINE, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithBridge})
