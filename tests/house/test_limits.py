"""Every bound has its reason and is kept somewhere."""

import ast

from house.source import PACKAGE, package_files, parse

LIMITS = PACKAGE / "limits.py"


def _reasons() -> dict[str, str]:
    """Reason of each limit. Limits that stand together without a gap share the text below the last of them."""
    body = parse(LIMITS).body
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


def test_every_limit_is_kept_somewhere():
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for path in package_files()
        if path != LIMITS
        for node in ast.walk(parse(path))
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    assert sorted(set(_reasons()) - used) == []
