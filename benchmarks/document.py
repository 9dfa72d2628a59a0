"""What a benchmark leaves for programs."""

import json
from pathlib import Path
from typing import Any


def write_document(path: Path | None, conditions: dict[str, Any], results: dict[str, Any]) -> None:
    """Write the figures as JSON where asked."""
    if path is not None:
        document = {"conditions": conditions, "results": results}
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
