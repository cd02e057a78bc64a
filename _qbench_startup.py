"""Runs whenever a Python starts that has qbench installed as a wheel, through the one line of qbench.pth.

So it imports nothing that is not loaded already, and leaves behind one finder that compares a name. It stands outside
the package because importing ``qbench`` this early would pin the installed copy, and shadow a checkout that comes first
on ``sys.path`` later.
"""

import os
import sys


class _LmEvalFinder:
    """Finds nothing; hands over to `qbench.bridge` when somebody imports lm_eval, and goes away."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name != "lm_eval":
            return
        try:
            sys.meta_path.remove(self)
            from qbench import bridge

            bridge.install()
        except Exception as error:  # whatever is wrong with qbench, lm_eval must still be importable
            print(f"qbench: not registered with lm_eval ({error!r}); QBENCH_BRIDGE=0 silences this.", file=sys.stderr)


if os.environ.get("QBENCH_BRIDGE") != "0":
    sys.meta_path.insert(0, _LmEvalFinder())
