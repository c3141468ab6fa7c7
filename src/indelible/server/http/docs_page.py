"""The page at ``/docs``: Swagger UI in one file, which loads ``/openapi.json`` and nothing else.

The viewer is in ``swagger_ui``, as its makers publish it; ``make docs-viewer`` brings another version.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

from indelible.server.http.messages import Response

_HERE: Final = files(__package__)
_VIEWER: Final = _HERE.joinpath("swagger_ui")


def docs_page() -> Response:
    """The whole answer. Not for an event loop: the page has two megabytes, and takes some tens of milliseconds."""
    # The style sheet has pictures, as URLs, that have styles of their own; here their end would be its end.
    style = _VIEWER.joinpath("swagger-ui.css").read_text("utf-8").replace("</style", "%3C/style")
    viewer = _VIEWER.joinpath("swagger-ui-bundle.js").read_text("utf-8")
    start = _HERE.joinpath("docs_page.js").read_text("utf-8")
    page = _HERE.joinpath("docs_page.html").read_text("utf-8")
    for place, text in (("{style}", style), ("{start}", start), ("{viewer}", viewer)):
        page = page.replace(place, text, 1)
    body = page.encode()
    # Nothing but these three texts is style or script, so nothing that gets into the page can be; and the page talks
    # to this server alone.
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(viewer)} {_source(start)}; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = ((b"content-security-policy", policy.encode()), (b"etag", f'"{sha256(body).hexdigest()[:32]}"'.encode()))
    return Response(200, body, "text/html; charset=utf-8", headers)


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
