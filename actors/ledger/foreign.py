"""Calling C directly, which leaves the interpreter to the other threads meanwhile."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def load_ctypes() -> Any:
    """Return the module `ctypes`, or ``None`` for a Python that was built without libffi."""
    # Not before it is needed: importing it takes longer than telling a thousand events.
    try:
        import ctypes
    except ImportError:
        return None
    return ctypes
