"""Whether this interpreter has a global lock, on which the cheapest hand-overs rest."""

from __future__ import annotations

import sys
from typing import Final

HAS_GIL: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()
"""False in the free-threaded builds of Python 3.13 and later."""
