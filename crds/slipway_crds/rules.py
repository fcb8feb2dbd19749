"""Rules that fields keep beyond their own limits: each a CEL expression and its Python twin, made from one source.

A path is dotted and relative to the object that has the rule; what is missing along it breaks nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from slipway_crds.fields import Rule, SpecModel, matches, parse_duration, parse_quantity


def value_at(value: Any, path: str) -> Any:
    """The value at a path; None if there is nothing."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _missing(path: str) -> str:
    """CEL that holds where a path leads nowhere."""
    parts = path.split(".")
    return " || ".join(f"!has(self.{'.'.join(parts[:length])})" for length in range(1, len(parts) + 1))


def duration_within(field: str, low: str, high: str = "", *, optional: bool = False) -> Rule:
    """A duration that has a default, or an optional one, is at least `low` and at most `high`."""
    given = f"duration(self.{field})"
    cel = f"{given} >= duration('{low}')" + (f" && {given} <= duration('{high}')" if high else "")
    if optional:
        cel = f"!has(self.{field}) || {cel}"

    def holds(value: Mapping[str, Any]) -> bool:
        if optional and value.get(field) is None:
            return True
        duration = parse_duration(value[field])
        return parse_duration(low) <= duration and not (high and duration > parse_duration(high))

    message = f"must be from {low} to {high}" if high else f"must be at least {low}"
    return Rule(cel=cel, message=message, holds=holds, field=field)


def not_below(field: str, other: str) -> Rule:
    """An optional number is not below one that has a default."""
    return Rule(
        cel=f"!has(self.{field}) || self.{field} >= self.{other}",
        message=f"must not be below {other}",
        holds=lambda value: value.get(field) is None or value[field] >= value[other],
        field=field,
    )


def at_most_half(field: str, other: str) -> Rule:
    """A number is at most half of another; both have defaults."""
    return Rule(
        cel=f"self.{field} * 2 <= self.{other}",
        message=f"must be at most half of {other}",
        holds=lambda value: value[field] * 2 <= value[other],
        field=field,
    )


def quantity_not_above(field: str, other: str) -> Rule:
    """A quantity is not above another, where both are given."""

    def holds(value: Mapping[str, Any]) -> bool:
        low, high = value_at(value, field), value_at(value, other)
        return low is None or high is None or parse_quantity(low) <= parse_quantity(high)

    return Rule(
        cel=f"{_missing(field)} || {_missing(other)} || quantity(self.{field}).compareTo(quantity(self.{other})) <= 0",
        message=f"must not be above {other}",
        holds=holds,
        field=field,
    )


def unique(entries: str, by: str, message: str) -> Rule:
    """No two entries of a list have the same string at a path."""

    def holds(value: Mapping[str, Any]) -> bool:
        found = [value_at(entry, by) for entry in value[entries]]
        return len(set(found)) == len(found)

    return Rule(
        cel=f"self.{entries}.all(one, self.{entries}.exists_one(other, other.{by} == one.{by}))",
        message=message,
        holds=holds,
        field=entries,
    )


def filled_where(entries: str, field: str, values: Sequence[str], message: str, *, unless: str = "") -> Rule:
    """A list with a default has an entry where a word with a default is one of these, unless another list has one."""
    lists = [entries, *filter(None, [unless])]
    return Rule(
        cel=" || ".join([f"!(self.{field} in {_words(values)})", *(f"self.{each}.size() > 0" for each in lists)]),
        message=message,
        holds=lambda value: value[field] not in values or any(value[each] for each in lists),
        field=entries,
    )


def empty_where(entries: str, field: str, values: Sequence[str], message: str) -> Rule:
    """A list with a default has no entry where a word with a default is one of these."""
    return Rule(
        cel=f"!(self.{field} in {_words(values)}) || self.{entries}.size() == 0",
        message=message,
        holds=lambda value: value[field] not in values or not value[entries],
        field=entries,
    )


def given_where(optional: str, field: str, values: Sequence[str], message: str) -> Rule:
    """An optional value is given where a required word is one of these."""
    return Rule(
        cel=f"!(self.{field} in {_words(values)}) || has(self.{optional})",
        message=message,
        holds=lambda value: value[field] not in values or value.get(optional) is not None,
        field=optional,
    )


def only_where(optional: str, field: str, values: Sequence[str], message: str) -> Rule:
    """An optional value is given only where a word that has a default is one of these."""
    return Rule(
        cel=f"!has(self.{optional}) || self.{field} in {_words(values)}",
        message=message,
        holds=lambda value: value.get(optional) is None or value[field] in values,
        field=optional,
    )


def only_with(path: str, other: str, message: str, *, entries: bool = False) -> Rule:
    """An optional value is given only along with another optional one, or with `entries` in a list with a default."""
    present = f"self.{other}.size() > 0" if entries else f"has(self.{other})"
    return Rule(
        cel=f"{_missing(path)} || {present}",
        message=message,
        holds=lambda value: (
            value_at(value, path) is None or (bool(value[other]) if entries else value.get(other) is not None)
        ),
        field=path,
    )


def unlike(optional: str, pattern: str, message: str) -> Rule:
    """An optional text does not match a pattern, of RE2 and Python alike."""
    return Rule(
        cel=f"!has(self.{optional}) || !self.{optional}.matches(r'{pattern}')",
        message=message,
        holds=lambda value: value.get(optional) is None or not matches(pattern, value[optional]),
        field=optional,
    )


def only_like(optional: str, field: str, pattern: str, message: str) -> Rule:
    """An optional value is given only where a required text matches a pattern, of RE2 and Python alike."""
    return Rule(
        cel=f"!has(self.{optional}) || self.{field}.matches(r'{pattern}')",
        message=message,
        holds=lambda value: value.get(optional) is None or matches(pattern, value[field]),
        field=optional,
    )


def _words(values: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def not_with(optional: str, other: str, message: str) -> Rule:
    """Two optional values are not given together."""
    return Rule(
        cel=f"!has(self.{optional}) || !has(self.{other})",
        message=message,
        holds=lambda value: value.get(optional) is None or value.get(other) is None,
        field=optional,
    )


def default_with(field: str, default: str, other: str, message: str) -> Rule:
    """A text has its default where another, optional value is given."""
    return Rule(
        cel=f"!has(self.{other}) || self.{field} == '{default}'",
        message=message,
        holds=lambda value: value.get(other) is None or value[field] == default,
        field=field,
    )


def immutable(field: str, because: str, *, unless: str = "") -> Rule:
    """An optional value stays as it was when the object was created, but where another is given or was."""
    return Rule(
        cel=_given_or_was(unless)
        + f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        message=f"cannot be changed: {because}",
        holds=None,
        field=field,
    )


def immutable_quantity(field: str, because: str, *, unless: str = "") -> Rule:
    """A quantity that has a default stays the same amount, however it is written, but where another is given or was."""
    return Rule(
        cel=_given_or_was(unless) + f"quantity(self.{field}).compareTo(quantity(oldSelf.{field})) == 0",
        message=f"cannot be changed: {because}",
        holds=None,
        field=field,
    )


def _given_or_was(optional: str) -> str:
    """The beginning of CEL that goes on where it is not so."""
    return f"has(self.{optional}) || has(oldSelf.{optional}) || " if optional else ""


def exactly_one(members: Sequence[str]) -> Rule:
    """One of the members is there, and no other."""
    return Rule(
        cel=f"[{', '.join(f'has(self.{member})' for member in members)}].exists_one(given, given)",
        message=f"must have exactly one of: {', '.join(members)}",
        holds=lambda value: sum(value.get(member) is not None for member in members) == 1,
    )


class OneOf(SpecModel):
    """A choice: of its optional fields exactly one is given. Fields that must be given are not part of the choice."""

    members: ClassVar[tuple[str, ...]] = ()
    """Names of the optional fields, as Python has them."""
    besides: ClassVar[frozenset[str]] = frozenset()
    """Names of optional fields that are not part of the choice either."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        optional = (name for name, field in cls.model_fields.items() if not field.is_required())
        cls.members = tuple(name for name in optional if name not in cls.besides)
        aliases = [cls.model_fields[name].alias or name for name in cls.members]
        cls.rules = (exactly_one(aliases), *cls.rules)

    @property
    def chosen(self) -> str:
        """The name of the field that is given, as Python has it."""
        return next(name for name in self.members if getattr(self, name) is not None)
