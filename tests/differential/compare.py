"""Two answers to one request: what differs between them."""

import decimal
import json

HEADERS = ("content-range", "content-type", "location", "preference-applied")


class Answer:
    def __init__(self, raw):
        self.status, self.headers, self.bytes = raw
        self.text = self.bytes.decode(errors="replace")
        self.value, self.is_json = None, False
        if "json" in self.headers.get("content-type", "") and self.bytes:
            try:
                self.value = json.loads(self.text, parse_int=decimal.Decimal, parse_float=decimal.Decimal)
                self.is_json = True
            except ValueError:
                pass

    def code(self):
        return self.value.get("code") if isinstance(self.value, dict) else None

    def shown(self):
        headers = " ".join(f"{name}={self.headers[name]!r}" for name in HEADERS if name in self.headers)
        return f"{self.status} {headers} {self.text[:700]}"


def unordered(value):
    """The same with all arrays sorted."""
    if isinstance(value, list):
        return sorted((unordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    if isinstance(value, dict):
        return {key: unordered(item) for key, item in value.items()}
    return value


def header(answer, name):
    """As it is compared: parameters of a media type are lower case and without spaces."""
    text = answer.headers.get(name)
    return text.replace(" ", "").lower() if text and name == "content-type" else text


def differences(theirs, ours):
    """The aspects that differ: `status`, `body` (a refusal's: its fields), or a header's name."""
    found = set()
    if theirs.status != ours.status:
        found.add("status")
    for name in HEADERS:
        if header(theirs, name) != header(ours, name):
            found.add(name)
    if theirs.is_json and ours.is_json:
        refusals = all(isinstance(a.value, dict) and a.status >= 400 for a in (theirs, ours))
        if refusals:
            fields = set(theirs.value) | set(ours.value)
            found |= {f"body.{f}" for f in fields if theirs.value.get(f, 0) != ours.value.get(f, 0)}
        elif theirs.value != ours.value:
            found.add("body")
    elif theirs.bytes != ours.bytes:
        found.add("body")
    return found
