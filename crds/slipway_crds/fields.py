"""The vocabulary that the kinds share: names, durations, quantities, and what a field does without a cluster.

Every schema field says what the local driver makes of it (`slipway dev`), so that "the same YAML" is a statement that
the reference shows and a test demands.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""RFC 1035 label: what Kubernetes requires of a Service, so of everything that a Service is named after."""
NAME_MAX = 40
"""Characters in an object's name, so that a revision's suffix still fits a 63-character label."""
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""RFC 1123 subdomain: what Kubernetes requires of most objects' names."""
DURATION_PATTERN = "^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$"
CPU_PATTERN = "^[1-9][0-9]{0,8}m?$"
BYTES_PATTERN = "^[1-9][0-9]{0,14}(k|M|G|T|Ki|Mi|Gi|Ti)?$"
SCORE_PATTERN = r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?)$"
TEMPERATURE_PATTERN = r"^([01](\.[0-9]{1,4})?|2(\.0{1,4})?)$"
PRICE_PATTERN = r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?$"
LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""RFC 1123 label: what Kubernetes wants of a namespace's name."""
KEY_PATTERN = "^[-._a-zA-Z0-9]+$"
"""A key of a Secret or a ConfigMap."""
MODEL_PATTERN = "^[!-~]+$"
TOOL_PATTERN = "^[a-z]([-_a-z0-9]*[a-z0-9])?$"
ENTRY_POINT_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$"
IMAGE_PATTERN = "^[0-9A-Za-z][-._/:@0-9A-Za-z]*$"
PINNED_IMAGE_PATTERN = "^[0-9A-Za-z][-._/:0-9A-Za-z]*(@sha256:[0-9a-f]{64})?$"
"""Of an image with a whole digest, or with none."""
CAPABILITY_PATTERN = "^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
CIDR_PATTERN = "^[0-9a-fA-F.:]+/[0-9]{1,3}$"
URL_PATTERN = (
    r"^https?://"
    r"(([0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?\.)*[A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?|"
    r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3})"
    r"(:[1-9][0-9]{0,4})?(/[-._~0-9A-Za-z/:]*)?$"
)
"""An address whose host is a name or four plain decimals, so that no other spelling of an IP address gets by a rule."""
PAGE_PATTERN = URL_PATTERN.replace("(/[-._~0-9A-Za-z/:]*)?$", "(/[-._~0-9A-Za-z/:%?&=+,;@]*)?$")
BUCKET_PATTERN = "^[0-9a-z]([-._0-9a-z]*[0-9a-z])?$"
PREFIX_PATTERN = "^[^/\\\\][^\\\\]*/$"
REGION_PATTERN = "^[a-z]([-0-9a-z]*[0-9a-z])?$"
REF_PATTERN = "^[0-9A-Za-z][-._/0-9A-Za-z]*$"
GLOB_PATTERN = "^[^/\\\\][^\\\\]*$"
REDIS_URL_PATTERN = (
    r"^rediss?://([-._0-9A-Za-z]{1,64}@)?"
    r"(([0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?\.)*[A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?|"
    r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3})"
    r"(:[1-9][0-9]{0,4})?(/[0-9]{1,3})?$"
)

IDENTIFIER_PATTERN = "^[a-z][a-z0-9_]*$"
"""A name in an expression of CEL."""
PATH_PATTERN = "^/[-._~0-9A-Za-z/]*$"
FOLDER_PATTERN = "^[_0-9A-Za-z][-._0-9A-Za-z]*(/[_0-9A-Za-z][-._0-9A-Za-z]*)*$"
ABSOLUTE_PATH_PATTERN = "^(/[_0-9A-Za-z][-._0-9A-Za-z]*)+$"
HEADER_PATTERN = "^[A-Za-z][-0-9A-Za-z]*$"
VARIABLE_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"
DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"
PUBLIC_KEY_PATTERN = r"^-----BEGIN PUBLIC KEY-----[-+/=0-9A-Za-z\s]*$"
BASE64_PATTERN = "^[0-9A-Za-z+/]+={0,2}$"
DAY_PATTERN = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
MCP_TOOL_PATTERN = "^[-_./0-9A-Za-z]+$"
"""What servers may call tools (MCP 2025-11-25, server/tools)."""
SHOWN_TOOL_PATTERN = "^[-_0-9A-Za-z]+$"
"""What every client and every model takes for the name of a tool."""

BROKER_PATTERN = "^[-.0-9A-Za-z]+:[1-9][0-9]{0,4}$"
TOPIC_PATTERN = "^[-._0-9A-Za-z]+$"
"""A topic of Kafka, or a group of its consumers."""
CRON_PATTERN = r"^[-*/,#0-9A-Za-z]+( +[-*/,#0-9A-Za-z]+){4}$"
ZONE_PATTERN = "^[A-Z][-+_0-9A-Za-z]*(/[A-Z][-+_0-9A-Za-z]*){0,2}$"
PLUGIN_NAME_PATTERN = "^[A-Za-z]([-_0-9A-Za-z]*[0-9A-Za-z])?$"
VERSION_PATTERN = r"^[0-9][-+.0-9A-Za-z]*$"
DEPENDENCY_PATTERN = r"^[A-Za-z]([-_0-9A-Za-z]*[0-9A-Za-z])?[ ]*((===|==|~=|!=|<=|>=|<|>)[ ]*[-+.*!,<>=~ 0-9A-Za-z]+)?$"

HINTS: Mapping[str, str] = {
    NAME_PATTERN: "lower-case letters, digits and dashes, beginning with a letter and ending with a letter or digit,"
    " like handbook-2",
    SUBDOMAIN_PATTERN: "lower-case letters, digits, dashes and dots, each part beginning and ending with a letter or"
    " digit, like handbook.v2",
    DURATION_PATTERN: "a duration in whole hours, minutes and seconds, like 30s, 5m or 1h30m",
    CPU_PATTERN: 'cores or thousandths of a core as a string, like "2" or 500m',
    BYTES_PATTERN: "a whole number of bytes with a unit, like 512Mi or 10Gi",
    SCORE_PATTERN: 'a decimal from "0" to "1" with at most four places, as a string, like "0.45"',
    TEMPERATURE_PATTERN: 'a decimal from "0" to "2" with at most four places, as a string, like "0.7"',
    PRICE_PATTERN: 'a decimal with at most six places, as a string, like "0.25"',
    LABEL_PATTERN: "lower-case letters, digits and dashes, beginning and ending with a letter or digit, like models-2",
    KEY_PATTERN: "letters, digits, dashes, underscores and dots, like OPENAI_API_KEY",
    MODEL_PATTERN: "the provider's name of a model, without spaces, like gpt-5-mini",
    TOOL_PATTERN: "lower-case letters, digits, dashes and underscores, like web_search",
    IMAGE_PATTERN: "an image with its registry and tag or digest, like registry.example.com/desk:1.2",
    PINNED_IMAGE_PATTERN: "an image with its registry and tag, or with @sha256: and 64 hexadecimal digits at the end",
    ENTRY_POINT_PATTERN: "a module and a function in it, like package.module:factory",
    CAPABILITY_PATTERN: "lower-case letters, digits, dashes and underscores, beginning and ending with a letter or"
    " digit, like order_lookup",
    IDENTIFIER_PATTERN: "lower-case letters, digits and underscores, beginning with a letter, like analyze_task",
    PLUGIN_NAME_PATTERN: "letters, digits, dashes and underscores, like agent_metrics",
    VERSION_PATTERN: "a version, like 1.2.0",
    DEPENDENCY_PATTERN: "the name of a Plugin and a range of versions, like agent_metrics>=1.2,<2",
    PATH_PATTERN: "a path without query and fragment, like /mcp",
    FOLDER_PATTERN: "a folder without a slash at its beginning and end, and without `..`, like models/e5-small",
    ABSOLUTE_PATH_PATTERN: "a folder from the root, without `..` and a slash at its end, like /models/e5-small",
    HEADER_PATTERN: "letters, digits and dashes, beginning with a letter, like X-API-Key",
    VARIABLE_PATTERN: "letters, digits and underscores, not beginning with a digit, like LOG_LEVEL",
    DIGEST_PATTERN: "sha256: and 64 hexadecimal digits, as `sha256sum` prints them",
    PUBLIC_KEY_PATTERN: "a public key as PEM, which begins with -----BEGIN PUBLIC KEY-----",
    BASE64_PATTERN: "base64 in one line, as cosign prints a signature",
    DAY_PATTERN: "a day, like 2027-01-31",
    MCP_TOOL_PATTERN: "letters, digits, dashes, underscores, dots and slashes, like issues.list",
    SHOWN_TOOL_PATTERN: "letters, digits, dashes and underscores, like list_issues",
    CIDR_PATTERN: "a range of addresses, like 10.20.0.0/16",
    BROKER_PATTERN: "a host and a port, like kafka.data.svc:9092",
    TOPIC_PATTERN: "letters, digits, dashes, underscores and dots, like orders.v1",
    CRON_PATTERN: "five fields of cron: minute, hour, day, month and day of the week, like 30 6 * * 1-5",
    ZONE_PATTERN: "a time zone of the IANA database, like Europe/Berlin",
    URL_PATTERN: "an http or https address with a host name or an IPv4 address, without user, query and fragment, like"
    " http://llm.models.svc:8000/v1",
    PAGE_PATTERN: "an http or https address of a page, without user and fragment, like https://docs.example.com/guide",
    BUCKET_PATTERN: "the name of a bucket, like team-documents",
    PREFIX_PATTERN: "the beginning of names up to a slash, like handbook/",
    REGION_PATTERN: "a region, like eu-west-1",
    REF_PATTERN: "the name of a branch or a tag, like main",
    GLOB_PATTERN: "a path with *, ** or ?, like docs/**/*.md",
    REDIS_URL_PATTERN: "a redis or rediss address with a host name or an IPv4 address, without password, like"
    " redis://redis.data.svc:6379/0",
}
"""What to write, by the pattern that a value has to match: for the messages of `slipway validate`."""


def matches(pattern: str, text: str) -> bool:
    """Whether an API server takes the text for the pattern: in Go `$` is the end, in Python also a newline before."""
    return re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None


LOCAL = "x-slipway-local"
"""The key in a schema that only Slipway understands: what a field does without a cluster."""


class Local(StrEnum):
    """What the local driver does with a field."""

    SAME = "same"
    EMULATED = "emulated"
    IGNORED = "ignored-with-warning"
    REFUSED = "refused"


@dataclass(frozen=True)
class LocalStatement:
    """In a field's annotation, or on a model for all its fields: what the local driver does, in one sentence."""

    behaviour: Local
    statement: str

    def to_schema(self) -> dict[str, str]:
        """The statement as the schema carries it, until `strip` takes it out."""
        return {"behaviour": self.behaviour.value, "statement": self.statement}

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), LOCAL: self.to_schema()}


def same(statement: str) -> LocalStatement:
    """The local driver does what the operator does."""
    return LocalStatement(Local.SAME, statement)


def emulated(statement: str) -> LocalStatement:
    """The local driver does something that has the same effect."""
    return LocalStatement(Local.EMULATED, statement)


def ignored(statement: str) -> LocalStatement:
    """The local driver warns, and goes on without it."""
    return LocalStatement(Local.IGNORED, statement)


def refused(statement: str) -> LocalStatement:
    """The local driver does not serve an object that has it."""
    return LocalStatement(Local.REFUSED, statement)


@dataclass(frozen=True)
class ListType:
    """In a list's annotation: how a server-side apply merges it (`x-kubernetes-list-type`)."""

    keys: tuple[str, ...] = ()
    """Fields that tell its entries apart; without any it is replaced as a whole."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        merged = {**handler(schema), "x-kubernetes-list-type": "map" if self.keys else "atomic"}
        return {**merged, "x-kubernetes-list-map-keys": list(self.keys)} if self.keys else merged


BY_NAME = ListType(("name",))
BY_TOOL = ListType(("tool",))
BY_TYPE = ListType(("type",))
ATOMIC = ListType()


@dataclass(frozen=True)
class Rule:
    """A CEL validation rule and its Python twin.

    `cel` sees the object it is attached to as `self`; `holds` gets the same object as plain data with CRD defaults
    filled in. Both must give the same verdict for every manifest (a test compares them).
    `field` is the path, relative to the object, that the message is about.
    A rule about a change (`oldSelf` in its CEL) has no twin: no manifest breaks it by itself.
    """

    cel: str
    message: str
    holds: Callable[[Mapping[str, Any]], bool] | None
    field: str = ""

    def to_schema(self) -> dict[str, Any]:
        """The rule as an entry of `x-kubernetes-validations`."""
        where = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel, "message": self.message, **where}


def complete_schema(schema: dict[str, Any], model: type[Any]) -> None:
    """Pydantic hook (`json_schema_extra`): put what a model's class says into its JSON Schema: its rules, and what the
    local driver makes of the fields that say nothing of their own."""
    if model.rules:
        schema["x-kubernetes-validations"] = [rule.to_schema() for rule in model.rules]
    if model.local is not None:
        for field in schema.get("properties", {}).values():
            field.setdefault(LOCAL, model.local.to_schema())


class SpecModel(BaseModel):
    """Base of everything under `spec`: unknown fields are errors, and rules hang on the class.

    A field is a line with its type and limits, and a line that describes it. Its name in YAML is its own in camelCase;
    one with an acronym says so with an alias (`base_url: Annotated[..., Field(alias="baseURL")]`).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        json_schema_extra=complete_schema,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()
    local: ClassVar[LocalStatement | None] = None
    """What the local driver makes of the fields that say nothing of their own."""


class StatusModel(BaseModel):
    """Base of everything under `status`: what the operator reports, never read back as a source of truth."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, use_attribute_docstrings=True)


Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX, pattern=NAME_PATTERN)]
SubdomainName = Annotated[str, Field(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN)]
Duration = Annotated[str, Field(min_length=2, max_length=18, pattern=DURATION_PATTERN)]
Cpu = Annotated[str, Field(min_length=1, max_length=10, pattern=CPU_PATTERN)]
Bytes = Annotated[str, Field(min_length=1, max_length=18, pattern=BYTES_PATTERN)]
Score = Annotated[str, Field(min_length=1, max_length=6, pattern=SCORE_PATTERN)]
Temperature = Annotated[str, Field(min_length=1, max_length=6, pattern=TEMPERATURE_PATTERN)]
Price = Annotated[str, Field(min_length=1, max_length=13, pattern=PRICE_PATTERN)]
Namespace = Annotated[str, Field(min_length=1, max_length=63, pattern=LABEL_PATTERN)]
Key = Annotated[str, Field(min_length=1, max_length=253, pattern=KEY_PATTERN)]
Url = Annotated[str, Field(min_length=8, max_length=512, pattern=URL_PATTERN)]
RedisUrl = Annotated[str, Field(min_length=10, max_length=512, pattern=REDIS_URL_PATTERN)]
Cidr = Annotated[str, Field(min_length=4, max_length=43, pattern=CIDR_PATTERN)]

_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T"), start=1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1)},
}


def parse_quantity(text: str) -> Decimal:
    """`500m`, `2` or `512Mi` as a number of cores or bytes.

    Raises:
        ValueError: if the text is not a quantity that our kinds take.
    """
    match = re.fullmatch("([0-9]+)([a-zA-Z]*)", text)
    if not match or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a quantity: write it like 500m, 2 or 512Mi")
    return int(match[1]) * _UNITS[match[2]]


def parse_duration(text: str) -> timedelta:
    """`1h30m`, `30s` and the like as a timedelta.

    Raises:
        ValueError: if the text is not a duration.
    """
    match = re.fullmatch(DURATION_PATTERN.strip("^$"), text)
    if not match or not text:
        raise ValueError(f"{text!r} is not a duration: write it like 30s, 5m or 24h")
    hours, minutes, seconds = (int(group[:-1]) if group else 0 for group in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
