"""The error tree is drawn as it is, and every error reaches REST."""

import re

from indelible import errors
from indelible.wire.errors import STATUS_OF_CODE


def _kinds(kind: type[errors.IndelibleError] = errors.IndelibleError) -> list[type[errors.IndelibleError]]:
    found = [kind]
    for child in kind.__subclasses__():
        if child.__module__ == "indelible.errors":
            found += _kinds(child)
    return found


def _drawn() -> dict[str, tuple[int, str]]:
    """Depth and code by class name, from the drawing at the top of the module."""
    lines = re.findall(r"^ +([│├└─ ]*)([A-Z]\w+) *([a-z_]+\b)?", errors.__doc__ or "", re.MULTILINE)
    return {name: (len(branch) // 4, code) for branch, name, code in lines}


def test_the_drawing_shows_every_error_at_its_place():
    drawn = _drawn()
    assert set(drawn) == {kind.__name__ for kind in _kinds()}
    for kind in _kinds():
        depth, code = drawn[kind.__name__]
        assert depth == kind.__mro__.index(errors.IndelibleError), kind.__name__
        if kind is not errors.IndelibleError and "code" in vars(kind):
            assert code == kind.code
    assert set(errors.__all__) == {kind.__name__ for kind in _kinds()} | {"error_from_code"}


def test_codes_are_unique_and_come_back_as_the_same_error():
    with_code = [kind for kind in _kinds() if "code" in vars(kind)]
    assert len({kind.code for kind in with_code}) == len(with_code)
    for kind in with_code:
        assert (
            type(errors.error_from_code(kind.code, "message", {"pointer": ""} if "pointer" in dir(kind) else {}))
            is kind
        )


def test_every_error_says_what_it_means():
    assert [kind.__name__ for kind in _kinds() if not vars(kind).get("__doc__")] == []


def test_every_code_has_a_status():
    assert set(STATUS_OF_CODE) == {kind.code for kind in _kinds()[1:] if "code" in vars(kind)}
