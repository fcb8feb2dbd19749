"""Manifests made from the kinds' own schemas, right and wrong ones, for the tests that compare verdicts.

Whoever adds a field gets it generated here without a line: values come from the schema, and so do the places to spoil.
Everything is drawn from one `random.Random`: a seeded one gives the same manifests in every run, hypothesis's own gives
examples that shrink.
"""

import copy
import re
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any

from slipway_crds.checking import object_schema, twins
from slipway_crds.defaulting import fill
from slipway_crds.fields import Rule, matches
from slipway_crds.meta import API_VERSION
from slipway_crds.registry import KINDS

Manifest = dict[str, Any]

_WORDS = (
    *("a", "b", "handbook", "x-1", "a" * 40, "a.b", "a.b-c.d1", "0" * 253),
    *(
        "1",
        "2",
        "100m",
        "500m",
        "2000m",
        "999999999m",
        "1k",
        "1Ki",
        "1M",
        "512Mi",
        "1Gi",
        "2Gi",
        "1T",
        "999999999999999Ti",
    ),
    *("0", "0.5", "0.4567", "1", "1.0", "1.0000"),
    *("gpt-5-mini", "complex_workflow", "OPENAI_API_KEY", "10.0.0.0/8", "fd00::/8", "0.25", "2.0", "600s", "11m"),
    *(
        "http://rerank.models.svc:8080",
        "https://api.example.com/v1",
        "http://llm.models.svc:8000/v1",
        "http://10.0.0.5:80",
        "HTTP://x",
        "http://x?y",
    ),
    *("http://169.254.169.254/latest", "http://METADATA.google.internal:80/x", "https://metadata.example.com"),
    *("redis://redis.data.svc:6379/0", "rediss://me@redis.example.com", "redis://169.254.169.254:80", "redis://x?y"),
    *("X-API-Key", "Content-Length", "/mcp", "/v1/tools", "http://localhost:8080/mcp", "find_files", "files.read"),
    "http://127.0.0.1:90",
    *("kafka.data.svc:9092", "kafka:0", "30 6 * * 1-5", "*/5 * * * *", "0 6 * *", "UTC", "Europe/Berlin"),
    *("docs/**/*.md", "**", "handbook/"),
    *("agents.support:make_agent", "registry.example.com/team/agent:1.2"),
    *("sha256:" + "0" * 64, "sha256:" + "f" * 64, "2027-01-31", "-----BEGIN PUBLIC KEY-----" + "A" * 100),
    *("registry.example.com/team/tools@sha256:" + "0" * 64, "4Mi"),
    *(
        "0s",
        "1s",
        "2s",
        "30s",
        "59s",
        "60s",
        "1m",
        "30m",
        "31m",
        "1h",
        "24h",
        "1h30m5s",
        "720h",
        "721h",
        "99999h99999m99999s",
    ),
)
"""Tried wherever a pattern takes them: few enough that entries meet (one index twice), and near limits (59s)."""

_WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 5.0, 2.5, 33, 101, 100_000, 2**63),
    *("", "x", "X", "1x", "a-", "a\n", "a b", "5", "1.5", "-1", "1d", "1Gi ", "1gb", "ü", "x" * 41, "x" * 300),
    *([], [None], ["a"], {}, {"a": 1}, {"name": "a"}),
)

_MAPS: tuple[dict[str, str], ...] = (
    *({}, {"team": "search"}, {"a": "b", "example.com/c": "d"}, {"not-slipway.dev/x": "", "slipway.dev.org/x": ""}),
    *({"": "x"}, {"a b/c/d": "ü"}, {"managed-by": "me"}, {"x": "slipway.dev/x"}),
)
_RESERVED: tuple[dict[str, str], ...] = (
    *({"slipway.dev/agent": "x"}, {"reads.slipway.dev/other": "true"}, {"a.b.slipway.dev/c/d": ""}),
    *({"app.kubernetes.io/managed-by": "me"}, {"a": "b", "batch.kubernetes.io/job-name": "x"}, {"job-name": "x"}),
)
_ANYTHING: tuple[dict[str, Any], ...] = (
    *({}, {"key": "dedicated", "operator": "Exists"}, {"nested": {"list": [1, None, {"x": 1.5}], "null": None}}),
    {"name": 5, "labels": {"slipway.dev/x": "y"}, "requests": [], "metadata": {"uid": 7}},
)
"""What takes a value's place: some of it is right in some places, which is for the two verdicts to agree on."""

_LABELS: tuple[Any, ...] = (
    *({"k": "a b"}, {"a/b/c": "x"}, {"slipway.dev/k": "C_1.x"}, {"k": None}, {"k": 1}, {"k": "x" * 64}, {"": "x"}),
    *(None, []),
)
_OWNERS: tuple[Any, ...] = ([{}], [{"name": "a", "foo": 1}], None)
_METADATA: tuple[Any, ...] = (
    *({"name": name} for name in ("A", "a.b", "a" * 41, "x\n", "", "a-", "2a", None, 7)),
    *({}, None, "x", {"generateName": "gen-"}, {"generateName": "G-"}, {"generateName": "a" * 36}),
    *({"name": "a", "labels": labels} for labels in _LABELS),
    *({"name": "a", "annotations": {key: "x"}} for key in ("Slipway.Dev/K", "a b")),
    *({"name": "a", "annotations": {"k": value}} for value in (True, "\n", None)),
    *({"name": "a", "finalizers": value} for value in (["x y"], ["slipway.dev/x"], "x")),
    *({"name": "a", "creationTimestamp": time} for time in (None, "x", "2026-01-31T12:00:00Z", "2026-02-31T12:00:00Z")),
    *({"name": "a", "ownerReferences": owners} for owners in _OWNERS),
    {"name": "a", "finalizers": [None]},
    {"name": "a", "unknown": None},
)


def manifests(count: int, seed: int = 0) -> list[Manifest]:
    """That many manifests, the same for the same seed."""
    random = Random(seed)
    return [make_manifest(random) for _ in range(count)]


def make_manifest(random: Random) -> Manifest:
    """An object of one of our kinds. Half of them are spoiled on purpose; of the others some break a rule."""
    kind = random.choice(sorted(KINDS))
    spec = _value(object_schema(kind)["properties"]["spec"], random)
    manifest: Manifest = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": _name(random)}, "spec": spec}
    spoiling = random.random()
    if spoiling < 0.1:
        manifest["metadata"] = copy.deepcopy(random.choice(_METADATA))
    elif spoiling < 0.13:
        manifest[random.choice(("extra", "status", "spec"))] = copy.deepcopy(random.choice(_WRONG))
    elif spoiling < 0.4:
        for _ in range(random.choice((1, 1, 2))):
            _spoil(spec, random)
    return manifest


def _value(schema: Mapping[str, Any], random: Random) -> Any:
    """A value that the schema takes, rules aside."""
    if "enum" in schema:
        return random.choice(schema["enum"])
    match schema["type"]:
        case "integer":
            low, high = schema["minimum"], schema["maximum"]
            taken = [8080] if low <= 8080 <= high else []
            return random.choice([low, high, random.randint(low, high), *taken])
        case "boolean":
            return random.random() < 0.5
        case "string":
            return random.choice(_taken(schema.get("minLength", 0), schema["maxLength"], schema.get("pattern", "")))
        case "array":
            return _list(schema, random)
    if "additionalProperties" in schema:
        return dict(random.choice(_RESERVED if random.random() < 0.1 else _MAPS))
    if "properties" not in schema:
        return copy.deepcopy(random.choice(_ANYTHING))
    required, members = schema.get("required", ()), _members(schema)
    chosen = {random.choice((members[0], *members))} if members and random.random() < 0.82 else set[str]()
    value = {
        name: _value(child, random)
        for name, child in schema["properties"].items()
        if name in required or name in chosen or (name not in members and random.random() < 0.6)
    }
    if chosen and "type" in value and chosen <= set(schema["properties"]["type"].get("enum", ())):
        value["type"] = next(iter(chosen))  # which names the member
    if random.random() < 0.82:
        _repair(value, schema, random)
    return value


def _repair(value: dict[str, Any], schema: Mapping[str, Any], random: Random) -> None:
    """Draw fields that a broken rule reads again, until no rule is broken: each further rule would otherwise leave
    fewer manifests right."""
    rules = _rules(schema)
    if not rules:
        return
    for _ in range(20):
        filled = fill(value, schema)
        broken = [rule for rule in rules if rule.holds and not rule.holds(filled)]
        if not broken:
            return
        named = [name for name in re.findall(r"self\.(\w+)", broken[0].cel) if name != "metadata"]
        about = broken[0].field.partition(".")[0]
        name = about if about and random.random() < 0.5 else random.choice(named)
        value.pop(name, None)
        if name in schema.get("required", ()) or random.random() < 0.6:
            value[name] = _value(schema["properties"][name], random)


def _rules(schema: Mapping[str, Any]) -> list[Rule]:
    return [twins()[each["rule"]] for each in schema.get("x-kubernetes-validations", ())]


def _members(schema: Mapping[str, Any]) -> list[str]:
    """The fields of which exactly one may be given."""
    rules = (each["rule"] for each in schema.get("x-kubernetes-validations", ()))
    choice = next((rule for rule in rules if rule.endswith(".exists_one(given, given)")), "")
    return re.findall(r"has\(self\.(\w+)\)", choice)


def _list(schema: Mapping[str, Any], random: Random) -> list[Any]:
    """A list of one or two entries, sometimes alike; where they have keys, more often than not different ones."""
    (key,) = schema.get("x-kubernetes-list-map-keys", ("",))
    entries = [_value(schema["items"], random) for _ in range(random.choice((1, 1, 2)))]
    if len(entries) == 2 and random.random() < 0.4:
        entries[1] = copy.deepcopy(entries[0])
    if key and len(entries) == 2 and random.random() < 0.82:
        entries[0][key], entries[1][key] = "first", "second"
    return entries


@cache
def _taken(short: int, long: int, pattern: str) -> tuple[str, ...]:
    """The words that a schema's limits take."""
    return tuple(word for word in _WORDS if short <= len(word) <= long and matches(pattern, word))


def _name(random: Random) -> str:
    return "g" + "".join(random.choices("abcdefghijkmnpqrstuvwxyz0123456789", k=random.randint(8, 39)))


def _spoil(spec: Any, random: Random) -> None:
    """Change something anywhere in a spec: a value, a key, an entry."""
    containers = _containers(spec)
    if not containers:
        return
    container = random.choice(containers)
    wrong = copy.deepcopy(random.choice(_WRONG))
    if isinstance(container, list):
        if random.random() < 0.5:
            container.append(copy.deepcopy(random.choice((container[0], None, "a", {}))))
        else:
            container[0] = wrong
        return
    name = random.choice([*container, "unknown", "Name"])
    if name in container and random.random() < 0.25:
        del container[name]
    else:
        container[name] = wrong


def _containers(value: Any) -> list[Any]:
    """The objects and the non-empty lists in a value."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) or (isinstance(value, list) and value) else []
    return own + [found for child in children for found in _containers(child)]
