"""Starting actors that are the system's own business."""

from __future__ import annotations

from typing import Any

from pykka import ActorRef, ActorRegistry, ThreadingActor


def start(actor_class: type[ThreadingActor], *parts: Any, **settings: Any) -> ActorRef[Any]:
    """Start an actor, and take it off pykka's registry.

    The registry belongs to the host: its ``stop_all()``, or pykka's own when an actor of the
    host's raises SystemExit, must not end the trail.
    """
    ref = actor_class.start(*parts, **settings)
    ActorRegistry.unregister(ref)
    return ref
