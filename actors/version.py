"""The version of the installed library; ``pyproject.toml`` is the only place that states it."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "unknown"
"""What stands for the version of a bare source folder."""


def installed_version() -> str:
    """Return the version of the distribution, or `UNKNOWN`."""
    # Imported when asked for: it costs a tenth of the whole import.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("minutebook")
    except PackageNotFoundError:
        return UNKNOWN
