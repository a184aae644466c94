# SPDX-License-Identifier: Apache-2.0
"""Holds recorded answers of an HTTP interface against its OpenAPI 3.1 description.

    description = Description(document)
    for exchange in recorded:
        problems += description.problems_of(exchange)
    never_seen = description.kinds() - {description.kind_of(exchange) for exchange in recorded}

Stricter than the description itself: an answer may hold no member and no header field that is not
described, although the description leaves clients open to new ones.
"""

import copy
import dataclasses
import json
import re

import jsonschema

METHODS = ("get", "head", "put", "patch", "post", "delete", "options")
# Fields of every answer, which no operation describes.
GENERAL_FIELDS = {"date", "connection", "content-type", "content-length"}
NDJSON = "application/x-ndjson"


@dataclasses.dataclass
class Exchange:
    """One request and its answer; `rejected`: refused before the request was understood."""

    method: str
    path: str
    status: int
    fields: dict  # names in lower case
    body: bytes
    rejected: bool = False

    @property
    def content_type(self):
        return self.fields.get("content-type")

    def __str__(self):
        return f"{self.method} {self.path} {self.status} {self.content_type}"


def _closed(schema):
    """The schema with every described object closed to other members."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed["additionalProperties"] = False
    return closed


class Description:
    def __init__(self, document):
        self._document = document
        self._components = dict(document["components"])
        self._components["schemas"] = _closed(self._components["schemas"])
        self._templates = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$"), path)
            for path in document["paths"]
        ]

    def operations(self):
        """All pairs of a path and a method (in capitals)."""
        for path, item in self._document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield path, method.upper()

    def kinds(self):
        """Every documented (path, method, status, content type)."""
        found = set()
        for path, method in self.operations():
            for status, response in self._responses(path, method).items():
                for content_type in self._resolve(response).get("content", {None: None}):
                    found.add((path, method, int(status), content_type))
        return found

    def problem_types(self):
        return set(self._components["schemas"]["Problem"]["properties"]["type"]["enum"])

    def kind_of(self, exchange):
        return (
            self.path_of(exchange.path),
            exchange.method,
            exchange.status,
            exchange.content_type,
        )

    def path_of(self, target):
        path = target.partition("?")[0]
        return next((path_ for pattern, path_ in self._templates if pattern.match(path)), None)

    def problems_of(self, exchange):
        """What the answer does that the description does not say, one sentence each."""
        response = self._response_of(exchange)
        if response is None:
            return [f"{exchange}: not documented"]
        problems = self._field_problems(exchange, response)
        content = response.get("content", {})
        if not content:
            if exchange.body:
                problems.append(f"{exchange}: a body is not documented")
        elif exchange.content_type not in content:
            problems.append(f"{exchange}: the content type is not documented")
        elif exchange.method != "HEAD" or (exchange.rejected and exchange.body):
            problems += self._body_problems(exchange, content[exchange.content_type]["schema"])
        elif exchange.body:
            problems.append(f"{exchange}: an answer to HEAD has a body")
        return problems

    def _responses(self, path, method):
        return self._document["paths"][path][method.lower()]["responses"]

    def _response_of(self, exchange):
        path = self.path_of(exchange.path)
        if path is None:
            return self._named_response("NoSuchPath") if exchange.status == 404 else None
        if exchange.method.lower() not in self._document["paths"][path]:
            known = exchange.method.lower() in METHODS
            wanted = (405, "MethodNotAllowed") if known else (501, "NotImplemented")
            return self._named_response(wanted[1]) if exchange.status == wanted[0] else None
        response = self._responses(path, exchange.method).get(str(exchange.status))
        return None if response is None else self._resolve(response)

    def _named_response(self, name):
        return self._resolve({"$ref": f"#/components/responses/{name}"})

    def _resolve(self, item):
        while "$ref" in item:
            target = self._document
            for step in item["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            item = target
        return item

    def _field_problems(self, exchange, response):
        problems = []
        described = {name.lower(): field for name, field in response.get("headers", {}).items()}
        for name in set(exchange.fields) - set(described) - GENERAL_FIELDS:
            problems.append(f"{exchange}: the field {name} is not documented")
        for name, field in described.items():
            if self._resolve(field).get("required") and name not in exchange.fields:
                problems.append(f"{exchange}: the field {name} is missing")
        path = self.path_of(exchange.path)
        if "allow" in exchange.fields and path is not None:
            documented = {method for path_, method in self.operations() if path_ == path}
            if set(exchange.fields["allow"].split(", ")) != documented:
                problems.append(f"{exchange}: Allow is {exchange.fields['allow']}")
        return problems

    def _body_problems(self, exchange, schema):
        text = exchange.body.decode()
        if exchange.content_type == NDJSON:
            schema = {"$ref": "#/components/schemas/BulkResult"}
            documents = [json.loads(line) for line in text.splitlines()]
        elif "json" in exchange.content_type:
            documents = [json.loads(text)]
        else:
            documents = [text]
        whole = {**_closed(copy.deepcopy(schema)), "components": self._components}
        validator = jsonschema.Draft202012Validator(whole)
        return [
            f"{exchange}: {error.json_path}: {error.message}"
            for document in documents
            for error in validator.iter_errors(document)
        ]
