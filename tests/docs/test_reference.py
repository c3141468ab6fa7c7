"""The pages that follow from the code are what the code says now."""

import importlib.util

import pytest

from docs.pages import ROOT

_spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_page_is_up_to_date(name: str):
    written = (reference.DIRECTORY / name).read_text("utf-8")
    assert written == reference.PAGES[name](), "run: python tools/reference.py"
