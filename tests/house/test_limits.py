"""Every bound has its reason, is given on and is kept somewhere."""

import ast
from collections import Counter

from house.source import PACKAGE, matching_lines, package_files, parse, python_files
from indelible import limits

LIMITS = PACKAGE / "limits"
AREAS = [path for path in package_files() if path.parent == LIMITS and path.name != "__init__.py"]


def _reasons() -> dict[str, str]:
    """Reason of each limit. Limits that stand together without a gap share the text below the last of them."""
    body = [node for path in AREAS for node in parse(path).body]
    reasons: dict[str, str] = {}
    group: list[str] = []
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            group.append(node.target.id)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and group:
            reasons.update(dict.fromkeys(group, str(node.value.value)))
            group = []
    reasons.update(dict.fromkeys(group, ""))
    return reasons


def test_every_limit_has_a_reason():
    reasons = _reasons()
    assert len(reasons) > 20
    assert [name for name, reason in reasons.items() if len(reason) < 20] == []


def test_every_limit_is_given_on():
    areas = [
        {
            node.target.id
            for node in parse(path).body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        for path in AREAS
    ]
    assert [name for name, count in Counter(name for area in areas for name in area).items() if count > 1] == []
    assert sorted(set().union(*areas) - set(vars(limits))) == []


def test_limits_are_imported_from_one_place():
    others = [path for path in python_files() if not path.is_relative_to(LIMITS)]
    assert matching_lines(r"indelible\.limits\.[a-z]", tuple(others)) == []


def test_every_limit_is_kept_somewhere():
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for path in package_files()
        if not path.is_relative_to(LIMITS)
        for node in ast.walk(parse(path))
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    assert sorted(set(_reasons()) - used) == []
