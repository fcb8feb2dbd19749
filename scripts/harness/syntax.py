"""Finding the expressions in a text, and Java methods called on them."""

import re
from collections.abc import Iterator

# The methods of java.lang.String (Java 8) that make sense in one expression, with how many arguments they take. Harness
# takes "almost any Java string method" and never getClass, and wants the expression inside in brackets of its own:
# <+<+pipeline.variables.x>.toLowerCase()>. Without them it may look for a variable of that whole name.
# harness/developer-hub, docs/platform/variables-and-expressions/expressions-java-methods.md (3fd4a1024eb0) and
# docs/platform/triggers/triggers-reference.md (0a7d85ce549d), JEXL conditions.
METHODS: dict[str, tuple[int, ...]] = {
    "charAt": (1,),
    "concat": (1,),
    "contains": (1,),
    "endsWith": (1,),
    "equals": (1,),
    "equalsIgnoreCase": (1,),
    "indexOf": (1, 2),
    "isEmpty": (0,),
    "lastIndexOf": (1, 2),
    "length": (0,),
    "matches": (1,),
    "replace": (2,),
    "replaceAll": (2,),
    "replaceFirst": (2,),
    "split": (1, 2),
    "startsWith": (1, 2),
    "substring": (1, 2),
    "toLowerCase": (0,),
    "toUpperCase": (0,),
    "trim": (0,),
}
INNER = "@"
ARGUMENT = rf"""(?:"[^"]*"|'[^']*'|[0-9]+|{INNER})"""
CALL = re.compile(rf"\.(?P<name>\w+)\((?P<arguments>{ARGUMENT}(?:, ?{ARGUMENT})*)?\)(?P<index>\[[0-9]+\])?")
BARE_CALL = re.compile(r"(?P<path>[\w.]+)(?P<call>\.\w+\(.*)")


def expressions(text: str) -> Iterator[str]:
    """The expressions in a text without their brackets, inner ones too: `<+a.<+b>>` has `b` and `a.<+b>`."""
    return iter(_scan(text)[0])


def unclosed(text: str) -> str | None:
    """What follows the first `<+` that no `>` closes, so that Harness would pass it on as it is; None if all are."""
    starts = _scan(text)[1]
    return text[starts[0] :] if starts else None


def outermost(text: str) -> list[str]:
    """The expressions in a text that stand in no other."""
    return _split(text)[1]


def calls(expression: str) -> tuple[str, list[str]]:
    """What an expression calls methods on, and their names: `<+a>.trim()` has `a` and trim."""
    rest, inner = _split(expression)
    return inner[0], [match["name"] for match in CALL.finditer(rest)]


def complaint(expression: str) -> str | None:
    """What is wrong with an expression that is more than a path. What it holds in brackets is looked at by itself."""
    bare = BARE_CALL.fullmatch(expression)
    if bare:
        return f"calls a method on a path; write <+<+{bare['path']}>{bare['call']}>, since Harness may misread it"
    rest, _ = _split(expression)
    place = len(INNER)
    while place < len(rest) or not rest.startswith(INNER):
        call = CALL.match(rest, place)
        if call is None or not rest.startswith(INNER):
            return "is neither a path nor one expression with methods behind it, such as <+<+a.b>.toLowerCase()>"
        wrong = _call(call)
        if wrong:
            return wrong
        place = call.end()
    return None


def _call(call: re.Match[str]) -> str | None:
    name, given = call["name"], len(re.findall(ARGUMENT, call["arguments"] or ""))
    if name not in METHODS:
        return f"{name!r} is no Java method of a text that is listed; there are: {', '.join(METHODS)}"
    if given not in METHODS[name]:
        wanted = " or ".join(map(str, METHODS[name]))
        return f"{name}() takes {wanted} arguments and gets {given}; correct them"
    if call["index"] and name != "split":
        return f"{name}() gives one text, so {call['index']} picks nothing; leave it out"
    return None


def _split(expression: str) -> tuple[str, list[str]]:
    """The expression with a sign for each outermost one inside of it, and these: `<+a.<+b>>.trim()` is `@.trim()`."""
    rest, inner = "", []
    depth = start = place = 0
    while place < len(expression):
        if expression.startswith("<+", place):
            depth, place = depth + 1, place + 2
            start = place if depth == 1 else start
            continue
        if expression[place] == ">" and depth:
            depth -= 1
            if depth == 0:
                rest += INNER
                inner.append(expression[start:place])
        elif depth == 0:
            rest += expression[place]
        place += 1
    return rest, inner


def _scan(text: str) -> tuple[list[str], list[int]]:
    """The expressions, and the places behind every `<+` that stays open."""
    found: list[str] = []
    starts: list[int] = []
    place = 0
    while place < len(text):
        if text.startswith("<+", place):
            starts.append(place + 2)
            place += 2
            continue
        if text[place] == ">" and starts:
            found.append(text[starts.pop() : place])
        place += 1
    return found, starts
