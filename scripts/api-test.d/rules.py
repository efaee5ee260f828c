"""Rules of the front that an OpenAPI document cannot express.

No request is left out and no check is switched off: a reported failure is dropped if its request
breaks the rule in question. All other checks of that response still count.
"""

import itertools
import json
import re

import schemathesis

NUMBER = re.compile(r"[0-9]{1,10}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
RATE = re.compile(rf"({NUMBER.pattern})(?:/([0-9]{{0,10}})([smhd]))?")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
CREDENTIALS = ["authorization", "cookie", "proxy-authorization"]
POLICIES = ["default", "watched", "two", "unknown"]


@schemathesis.hook
def map_case(context, case):
    """Replaces random policy names, which are all unknown, by names that policies.toml has."""
    if case.meta.generation.mode.is_positive:
        # /take needs a policy with one limit.
        names = [name for name in POLICIES if name != "two" or case.path != "/take"]
        for fields in (case.body, case.query):
            if isinstance(fields, dict) and isinstance(fields.get("policy"), str):
                fields["policy"] = names[len(fields["policy"]) % len(names)]
    return case


@schemathesis.hook
def filter_failure(context, failure, case, response):
    query = dict(case.query or {})
    if failure.code == "ST202":  # valid by the schema, but refused
        if isinstance(case.body, dict):
            # A field that is null is absent.
            body = {name: value for name, value in case.body.items() if value is not None}
            return not (is_refused(body) or is_half_a_limit(body))
        # Parameters after uri= are not read.
        read = dict(itertools.takewhile(lambda item: item[0] != "uri", query.items()))
        return not (case.path == "/check" and (is_refused(read) or is_contradictory(case, read)))
    if failure.code == "ST201":  # invalid by the schema, but answered
        if case.path == "/check/batch":
            # A bad check does not fail the batch: its own result is the refusal.
            return not any("status" in result for result in response.json().get("results", []))
        if case.path == "/reset" and isinstance(case.body, dict):
            # A reset has no cost, and null is absent.
            return case.body.get("cost", 0) is not None
        # Parameters after uri= are not validated.
        return not (case.path == "/check" and "uri" in query)
    if failure.code == "ST204":  # a method that the description lacks
        # /check with a query is the form for proxies, which takes any method.
        return not (case.path == "/check" and query)
    return True


def is_refused(fields):
    """Whether a value breaks a rule that a schema cannot express."""
    return (
        # The front limits bytes, a schema characters.
        len(str(fields.get("key", "")).encode()) > 1024
        or len(json.dumps(fields)) > 4096
        # A schema constrains the notation of text and the value of a number, the front both.
        or any(name in fields and not is_number(fields[name]) for name in ("cost", "capacity"))
        or "capacity" in fields and float(fields["capacity"]) == 0
        or "rate" in fields and not is_rate(fields["rate"])
    )


def is_contradictory(case, query):
    """Whether required parameters are missing or exclude each other."""
    header = query.get("key_header")
    return (
        ("key" in query) == ("key_header" in query)
        or header is not None and header.lower() not in map(str.lower, case.headers or {})
        or header is not None and header.lower() in CREDENTIALS
        or is_half_a_limit(query)
    )


def is_half_a_limit(fields):
    """Whether a capacity lacks a rate, or the other way round, or a policy comes with either."""
    return ("capacity" in fields) != ("rate" in fields) or "policy" in fields and "rate" in fields


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def is_number(value):
    """Whether the value is a number from 0 to 1000000000."""
    return NUMBER.fullmatch(text(value)) is not None and float(text(value)) <= 1e9


def is_rate(value):
    """Whether the value is a rate from 0.000000001 to 1000000000 tokens a second."""
    rate = RATE.fullmatch(text(value))
    if rate is None:
        return False
    tokens, count, unit = rate.groups()
    seconds = int(count or 1) * SECONDS[unit or "s"]
    return seconds > 0 and 1e-9 <= float(tokens) / seconds <= 1e9
