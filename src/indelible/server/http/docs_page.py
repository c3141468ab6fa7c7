"""The page at ``/docs``: the OpenAPI document as one HTML page without scripts, which loads nothing from elsewhere."""

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import Any, Final

from indelible.server.http.docs_schema import constraints, schema_link, type_words
from indelible.server.http.openapi_types import Schema

_STYLE: Final = files(__package__).joinpath("docs_page.css").read_text("utf-8")
_SERVER: Final = "http://127.0.0.1:8080"
"""Where a server listens when nothing else is said; in examples."""
_LINE_LENGTH_MAX: Final = 88


def render_page(document: dict[str, Any]) -> str:
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} REST API</title><style>{_STYLE}</style></head><body>"
        f"<nav>{''.join(_navigation(document))}</nav><main>"
        f"<header><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>"
        f"<p>{escape(info['summary'])} <a href='openapi.json'>openapi.json</a></p></header>"
        f"{_prose(info['description'])}{''.join(_groups(document))}{''.join(_schemas(document))}"
        "</main></body></html>"
    )


def _prose(text: str) -> str:
    """Paragraphs, and `code` between backticks."""
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def _operations(document: dict[str, Any], group: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation, of one group."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation["tags"] == [group]:
                yield method, path, operation


def _navigation(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        links = [
            f'<li><a href="#{operation["operationId"]}">{_inline(operation["summary"])}</a></li>'
            for _, _, operation in _operations(document, tag["name"])
        ]
        yield f'<h2><a href="#{_anchor(tag)}">{tag["name"]}</a></h2><ul>{"".join(links)}</ul>'
    yield '<h2><a href="#schemas">Bodies and answers</a></h2><h2><a href="#errors">Errors</a></h2>'


def _anchor(tag: dict[str, Any]) -> str:
    name: str = tag["name"]
    return name.replace(" ", "-")


def _groups(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield f'<section><h2 id="{_anchor(tag)}">{tag["name"]}</h2>{_prose(tag["description"])}'
        for method, path, operation in _operations(document, tag["name"]):
            yield _operation(method, path, operation)
        yield "</section>"


# --- Operations ------------------------------------------------------------------------------------------------------


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    return (
        f'<article id="{operation["operationId"]}"><h3>{_inline(operation["summary"])}</h3>'
        f'<p class="call"><b class="{method}">{method.upper()}</b> <code>{_path(path)}</code></p>'
        f"{_prose(operation['description'])}{_parameters(operation['parameters'])}{_body(operation)}"
        f"{_code('Example', _curl(method, path, operation))}{_answer_example(operation)}"
        f"{_answers(operation['responses'])}</article>"
    )


def _path(path: str) -> str:
    """With places where it may be broken on a narrow screen."""
    return escape(path).replace("/", "<wbr>/")


def _parameters(parameters: Iterable[Schema]) -> str:
    rows = [
        _row(
            f"<code>{parameter['name']}</code><small>{parameter['in']}</small>",
            _meaning(_parameter_schema(parameter), parameter["description"]),
        )
        for parameter in parameters
    ]
    return _table("Parameters", rows)


def _parameter_schema(parameter: Schema) -> Schema:
    schema: Schema = (
        parameter["schema"] if "schema" in parameter else parameter["content"]["application/json"]["schema"]
    )
    return schema


def _body(operation: dict[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    media_types = operation["requestBody"]["content"]
    rows = [_row(f"<code>{name}</code>", type_words(content["schema"])) for name, content in media_types.items()]
    return _table("Body", rows)


def _answers(responses: dict[str, Any]) -> str:
    return _table("Answers", [_row(f"<code>{status}</code>", _answer(answer)) for status, answer in responses.items()])


def _answer(answer: Schema) -> str:
    bodies = [_answer_body(media_type, content["schema"]) for media_type, content in answer["content"].items()]
    headers = [f"<code>{name}</code>" for name in answer["headers"]]
    return "<br>".join(
        [_inline(answer["description"]), *bodies, *([f"with {', '.join(headers)}"] if headers else [])]
    )  # fmt: skip


def _answer_body(media_type: str, schema: Schema) -> str:
    if media_type == "application/problem+json":
        references = [schema, *schema.get("oneOf", [])]
        return ", ".join(schema_link(inner["$ref"]) for inner in references if "$ref" in inner)
    return f"{type_words(schema)} <small>{media_type}</small>"


# --- Examples --------------------------------------------------------------------------------------------------------


def _curl(method: str, path: str, operation: dict[str, Any]) -> str:
    """A command for a shell."""
    examples = {parameter["name"]: parameter.get("example") for parameter in operation["parameters"]}
    query = "&".join(
        f"{parameter['name']}={value}"
        for parameter in operation["parameters"]
        if parameter["in"] == "query"
        for value in _as_list(parameter.get("example"))
    )
    url = _SERVER + re.sub(r"{(\w+)}", lambda segment: str(examples[segment[1]]), path)
    command = f"curl -s '{url}?{query}'" if query else f"curl -s {url}"
    if method not in ("get", "post"):
        command = command.replace("curl -s", f"curl -s -X {method.upper()}")
    if "requestBody" not in operation:
        return command
    body = _pretty(operation["requestBody"]["content"]["application/json"]["example"])
    return f"{command} --json '{body}'"


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _answer_example(operation: dict[str, Any]) -> str:
    first = next(iter(operation["responses"].values()))["content"]
    example = first.get("application/json", {}).get("example")
    return "" if example is None else _code("Answer", _pretty(example))


def _pretty(value: Any) -> str:
    """JSON, in which whatever fits stands on one line."""
    return _pretty_lines(value, 0)


def _pretty_lines(value: Any, depth: int) -> str:
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(short) + 2 * depth <= _LINE_LENGTH_MAX:
        return short
    space = "  " * (depth + 1)
    if isinstance(value, list):
        lines = [_pretty_lines(inner, depth + 1) for inner in value]
        return f"[\n{space}{f',{chr(10)}{space}'.join(lines)}\n{space[2:]}]"
    lines = [f'"{name}": {_pretty_lines(inner, depth + 1)}' for name, inner in value.items()]
    return f"{{\n{space}{f',{chr(10)}{space}'.join(lines)}\n{space[2:]}}}"


def _code(title: str, text: str) -> str:
    return f"<h4>{title}</h4><pre>{escape(text, quote=False)}</pre>"


# --- Schemas ---------------------------------------------------------------------------------------------------------


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    is_problem = {
        name: name == "Problem" or any("Problem" in part.get("$ref", "") for part in schema.get("allOf", []))
        for name, schema in schemas.items()
    }
    yield '<section><h2 id="schemas">Bodies and answers</h2>'
    yield from (_schema(name, schema) for name, schema in schemas.items() if not is_problem[name])
    yield '</section><section><h2 id="errors">Errors</h2>'
    yield from (_schema(name, schema) for name, schema in schemas.items() if is_problem[name])
    yield "</section>"


def _schema(name: str, schema: Schema) -> str:
    rows = [
        _row(
            f"<code>{field}</code>{'' if field in schema['required'] else '<small>optional</small>'}",
            _meaning(inner, inner.get("description", "")),
        )
        for field, inner in schema["properties"].items()
    ]
    examples = "".join(_code("Example", _pretty(example)) for example in schema.get("examples", ()))
    text = _prose(schema["description"]) + _table("", rows) + examples
    return f'<article id="schema-{name}"><h3>{name}</h3>{text}</article>'


def _meaning(schema: Schema, description: str) -> str:
    words = " · ".join([type_words(schema), *constraints(schema)])
    return f"{words}<br>{_inline(description)}" if description else words


def _row(head: str, text: str) -> str:
    return f"<tr><th>{head}</th><td>{text}</td></tr>"


def _table(title: str, rows: list[str]) -> str:
    if not rows:
        return ""
    heading = f"<h4>{title}</h4>" if title else ""
    return f"{heading}<table>{''.join(rows)}</table>"
