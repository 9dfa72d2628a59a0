"""What a benchmark leaves for programs."""

import json
import sys
from pathlib import Path
from typing import Any


def write_document(
    path: str | Path | None, conditions: dict[str, Any], results: dict[str, Any], **more: Any
) -> None:
    """Write the figures as JSON where asked; ``-`` is standard output."""
    if path is None:
        return
    text = dumps({"conditions": conditions, "results": results, **more})
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        Path(path).write_text(text, encoding="utf-8")


def dumps(document: dict[str, Any]) -> str:
    """Return a document as text, short lists on one line each, figures with six digits."""
    return json.dumps(_rounded(document), indent=1) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
