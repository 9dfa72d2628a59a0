"""A WSGI application that tells an event for each request, under gunicorn.

``WSGI_OPENS`` says when it opens its system: ``import`` (with ``--preload`` that is in the
master, before the fork) or ``request`` (the first one of each worker). Nobody closes it.
"""

import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from minutebook.actors import AuditSystem
from minutebook.domain import bind
from tests.contract.trail import Counted


@cache
def opened() -> AuditSystem:
    return AuditSystem.open(os.environ["WSGI_LEDGER"])


if os.environ["WSGI_OPENS"] == "import":
    opened()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    number = int(environ["PATH_INFO"].strip("/"))
    with bind(identity=f"user {number}"):
        opened().audit.tell(Counted(who="request", number=number, note=str(os.getpid())))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
