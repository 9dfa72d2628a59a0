"""The public face: what is promised is there, and each thing says what it is."""

import ast
import inspect
from importlib import import_module
from itertools import pairwise
from pkgutil import iter_modules
from types import ModuleType
from typing import Literal, get_origin

import pytest
from pydantic import BaseModel

import minutebook.actors
import minutebook.domain
from minutebook.domain import (
    AuditEvent,
    MinutebookError,
    envelope,
    errors,
    events,
    state,
    trail_events,
)
from minutebook.domain import commands as commands_module
from minutebook.domain import event as event_module
from minutebook.domain.event import registered_types


def _modules(package: ModuleType) -> list[ModuleType]:
    return [
        import_module(f"{package.__name__}.{found.name}")
        for found in iter_modules(package.__path__)
    ]


PACKAGES = [minutebook.domain, minutebook.actors]
NAMES = [(package, name) for package in PACKAGES for name in package.__all__]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_sorted_and_listed_once(package: ModuleType) -> None:
    assert list(package.__all__) == sorted(set(package.__all__))
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_each_public_name_resolves_and_is_documented(package: ModuleType, name: str) -> None:
    thing = getattr(package, name)
    if get_origin(thing) is Literal:
        assert name in _documented_aliases(envelope)
        return
    if isinstance(thing, type):
        assert "__doc__" in vars(thing)
    assert inspect.getdoc(thing)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_name_resolves(package: ModuleType) -> None:
    with pytest.raises(AttributeError):
        package.no_such_name  # noqa: B018


def _classes(module: ModuleType) -> list[ast.ClassDef]:
    tree = ast.parse(inspect.getsource(module))
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and bool(node.value.value.strip())
    )


def _undocumented_fields(node: ast.ClassDef) -> list[str]:
    return [
        ast.unparse(field.target)
        for field, below in zip(node.body, [*node.body[1:], ast.Pass()], strict=True)
        if isinstance(field, ast.AnnAssign) and not _is_docstring(below)
    ]


def _documented_aliases(module: ModuleType) -> list[str]:
    body = ast.parse(inspect.getsource(module)).body
    return [
        ast.unparse(node.targets[0])
        for node, below in pairwise(body)
        if isinstance(node, ast.Assign) and _is_docstring(below)
    ]


@pytest.mark.parametrize(
    ("module", "node"),
    [
        pytest.param(module, node, id=node.name)
        for module in (*_modules(events), *_modules(state), trail_events, envelope, event_module)
        for node in _classes(module)
    ],
)
def test_every_class_and_each_of_its_fields_is_documented_in_the_source(
    module: ModuleType, node: ast.ClassDef
) -> None:
    assert ast.get_docstring(node)
    assert _undocumented_fields(node) == []


def test_a_field_without_a_docstring_would_be_found() -> None:
    source = 'class A:\n    """Doc."""\n    a: int\n    """Its a."""\n    b: int = 1\n    c: int\n'
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    assert _undocumented_fields(node) == ["b", "c"]


def _catalogue() -> list[type[AuditEvent]]:
    return [cls for cls in registered_types().values() if cls.__module__.startswith("minutebook.")]


def test_the_catalogue_is_this() -> None:
    assert sorted(cls.type for cls in _catalogue()) == [
        "access.denied",
        "approval.denied",
        "approval.granted",
        "audit.archived",
        "audit.checkpointed",
        "audit.closed",
        "audit.gap",
        "audit.opened",
        "audit.pruned",
        "audit.recovered",
        "audit.sealed",
        "auth.failed",
        "auth.succeeded",
        "checkpoint.created",
        "config.changed",
        "correction.applied",
        "decision.recorded",
        "entity.deleted",
        "hold.lifted",
        "hold.placed",
        "plan.applied",
        "plan.apply_completed",
        "plan.cancelled",
        "plan.created",
        "plan.errored",
        "plan.phase_changed",
        "resource.modified",
        "resource.release_failed",
        "resource.released",
        "sandbox.created",
        "sandbox.release_failed",
        "sandbox.released",
        "session.closed",
        "session.created",
        "subject.forgotten",
        "token.created",
        "token.revoked",
        "tool.invoked",
        "user.changed",
        "user.created",
        "validation.failed",
        "validation.passed",
    ]


@pytest.mark.parametrize("cls", _catalogue())
def test_a_catalogue_class_can_be_built_by_pydantic(cls: type[AuditEvent]) -> None:
    assert cls.model_rebuild(force=True) is not False
    assert cls.__doc__


def test_every_error_is_a_minutebook_error_with_a_docstring() -> None:
    found = [thing for thing in vars(errors).values() if isinstance(thing, type)]

    assert len(found) > 30
    for error in found:
        assert issubclass(error, MinutebookError)
        assert error.__doc__


def test_every_model_of_the_domain_forbids_unknown_fields_and_is_frozen() -> None:
    for module in (*_modules(events), trail_events, *_modules(state), *_modules(commands_module)):
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, BaseModel) and thing is not BaseModel:
                assert thing.model_config.get("frozen") is True, thing
                assert thing.model_config.get("extra") == "forbid", thing
