"""A server that speaks MongoDB's wire protocol (OP_MSG) on this machine, with vector search: for the real driver.

It keeps documents in memory and knows the commands that the vector store and the document store send. A search index
takes `builds` looks before it can be asked, as MongoDB's do; a filter on what is not declared in it is an error.
"""

import asyncio
import struct
from collections.abc import Callable, Mapping
from typing import Any

import bson
import numpy as np
from bson.binary import Binary

HEADER = struct.Struct("<iiii")
OP_MSG = 2013
OP_QUERY = 2004
Json = dict[str, Any]
AUTHENTICATION_FAILED = {"ok": 0, "code": 18, "codeName": "AuthenticationFailed", "errmsg": "Authentication failed."}
UNAVAILABLE = {"ok": 0, "code": 91, "codeName": "ShutdownInProgress", "errmsg": "The server is shutting down."}


class MongoServer:
    """Started as an async context manager; `uri` leads to it."""

    def __init__(self, *, builds: int = 0) -> None:
        self.collections: dict[str, dict[Any, Json]] = {}
        self.indexes: dict[str, Json] = {}
        self.commands: list[Json] = []
        self.builds = builds
        self.cut = 0
        """So many connections are cut at the next commands on data."""
        self.refuse: Json | None = None
        """What commands on data are answered while it is set."""
        self.refused = 0
        self.silent = asyncio.Event()
        self.silent.set()
        """While it is cleared, commands on data wait."""

    async def __aenter__(self) -> "MongoServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.silent.set()
        self._server.close()

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/slipway?directConnection=true"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length, request, _, code = HEADER.unpack(await reader.readexactly(16))
                body = await reader.readexactly(length - 16)
                command = _command(body, code)
                if _is_data(command):
                    await self.silent.wait()
                    if self.cut:
                        self.cut -= 1
                        break
                answer = self._answer(command)
                writer.write(_reply(answer, request, code))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, command: Json) -> Json:
        self.commands.append(command)
        name = next(iter(command))
        if _is_data(command) and self.refuse is not None:
            self.refused += 1
            return self.refuse
        handler: Callable[[str, Json], Json] | None = getattr(self, f"_do_{name.lower()}", None)
        if handler is None:
            return {"ok": 0, "code": 59, "codeName": "CommandNotFound", "errmsg": f"no such command: {name}"}
        return handler(str(command[name]), command)

    def _do_hello(self, _: str, command: Json) -> Json:
        return {
            "ok": 1,
            "isWritablePrimary": True,
            "ismaster": True,
            "maxBsonObjectSize": 16 * 1024 * 1024,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "minWireVersion": 0,
            "maxWireVersion": 25,
            "readOnly": False,
        }

    _do_ismaster = _do_hello

    def _do_ping(self, _: str, command: Json) -> Json:
        return {"ok": 1}

    _do_endsessions = _do_ping

    def _do_saslstart(self, _: str, command: Json) -> Json:
        return AUTHENTICATION_FAILED

    def _do_create(self, name: str, command: Json) -> Json:
        if name in self.collections:
            return {"ok": 0, "code": 48, "codeName": "NamespaceExists", "errmsg": "already exists"}
        self.collections[name] = {}
        return {"ok": 1}

    def _do_drop(self, name: str, command: Json) -> Json:
        self.indexes.pop(name, None)
        if self.collections.pop(name, None) is None:
            return {"ok": 0, "code": 26, "codeName": "NamespaceNotFound", "errmsg": "ns not found"}
        return {"ok": 1}

    def _do_listcollections(self, _: str, command: Json) -> Json:
        wanted = command.get("filter", {}).get("name")
        names = [name for name in self.collections if wanted in (None, name)]
        return _cursor([{"name": name, "type": "collection"} for name in names])

    def _do_createsearchindexes(self, name: str, command: Json) -> Json:
        model = command["indexes"][0]
        self.indexes[name] = {**model, "looks": self.builds}
        return {"ok": 1, "indexesCreated": [{"id": "1", "name": model["name"]}]}

    def _do_updatesearchindex(self, name: str, command: Json) -> Json:
        self.indexes[name] |= {"definition": command["definition"], "looks": self.builds}
        return {"ok": 1}

    def _do_createindexes(self, name: str, command: Json) -> Json:
        self.collections.setdefault(name, {})
        return {"ok": 1}

    def _do_update(self, name: str, command: Json) -> Json:
        rows = self.collections.setdefault(name, {})
        matched, upserted = 0, []
        for number, each in enumerate(command["updates"]):
            found = [row for row in rows.values() if matches(each["q"], row)]
            matched += len(found[:1])
            if found:
                _change(found[0], each["u"], new=False)
            elif each.get("upsert"):
                row = _change(dict(each["q"]), each["u"], new=True)
                rows[row["_id"]] = row
                upserted.append({"index": number, "_id": row["_id"]})
        return {"ok": 1, "n": matched + len(upserted), "nModified": matched, "upserted": upserted}

    def _do_delete(self, name: str, command: Json) -> Json:
        rows, gone = self.collections.get(name, {}), 0
        for each in command["deletes"]:
            for key in [key for key, row in rows.items() if matches(each["q"], row)]:
                del rows[key]
                gone += 1
        return {"ok": 1, "n": gone}

    def _do_find(self, name: str, command: Json) -> Json:
        rows = [row for row in self.collections.get(name, {}).values() if matches(command.get("filter", {}), row)]
        for field, direction in reversed(list(command.get("sort", {}).items())):
            rows.sort(key=lambda row: row[field], reverse=direction < 0)
        return _cursor(rows[: command.get("limit") or None])

    def _do_findandmodify(self, name: str, command: Json) -> Json:
        rows = self.collections.setdefault(name, {})
        found = next((row for row in rows.values() if matches(command["query"], row)), None)
        if found is None and command.get("upsert"):
            found = _change(dict(command["query"]), command["update"], new=True)
            rows[found["_id"]] = found
        elif found is not None:
            _change(found, command["update"], new=False)
        return {"ok": 1, "value": found}

    def _do_aggregate(self, name: str, command: Json) -> Json:
        first, *rest = command["pipeline"]
        if "$listSearchIndexes" in first:
            return _cursor(self._search_indexes(name))
        if "$vectorSearch" in first:
            return self._search(name, first["$vectorSearch"])
        rows = [row for row in self.collections.get(name, {}).values() if matches(first["$match"], row)]
        assert "$group" in rest[0]  # what count_documents sends
        return _cursor([{"_id": 1, "n": len(rows)}] if rows else [])

    def _search_indexes(self, name: str) -> list[Json]:
        index = self.indexes.get(name)
        if index is None:
            return []
        index["looks"] -= 1
        built = index["looks"] < 0
        described = {"name": index["name"], "queryable": built, "status": "READY" if built else "BUILDING"}
        return [described | {"latestDefinition": index["definition"]}]

    def _search(self, name: str, stage: Json) -> Json:
        if name not in self.indexes:
            return _cursor([])
        declared = {field["path"] for field in self.indexes[name]["definition"]["fields"] if field["type"] == "filter"}
        for path in paths(stage.get("filter", {})) - declared:
            return {"ok": 0, "code": 8, "codeName": "UnknownError", "errmsg": f"Path '{path}' needs to be indexed"}
        assert stage["limit"] <= stage["numCandidates"] <= 10_000
        query = vector_of(stage["queryVector"])
        rows = [row for row in self.collections.get(name, {}).values() if matches(stage.get("filter", {}), row)]
        scored = [{"_id": row["_id"], "score": (1 + cosine(query, vector_of(row["embedding"]))) / 2} for row in rows]
        return _cursor(sorted(scored, key=lambda each: -each["score"])[: stage["limit"]])


def vector_of(value: Any) -> Any:
    """What a BSON vector or an array of numbers holds."""
    return np.asarray(Binary(value, 9).as_vector().data if isinstance(value, bytes) else value, dtype=np.float32)


def cosine(one: Any, other: Any) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def paths(clause: Mapping[str, Any]) -> set[str]:
    """The fields that a filter looks at."""
    found: set[str] = set()
    for key, value in clause.items():
        found |= {path for part in value for path in paths(part)} if key.startswith("$") else {key}
    return found


def matches(clause: Mapping[str, Any], row: Json) -> bool:
    """Whether a document passes a filter."""
    for key, value in clause.items():
        parts: dict[str, Callable[[Any], bool]] = {"$and": all, "$or": any, "$nor": lambda them: not any(them)}
        if key in parts:
            if not parts[key](matches(part, row) for part in value):
                return False
        elif not _field_matches(value, _at(row, key)):
            return False
    return True


def _at(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = row.get(name) if isinstance(row, dict) else None
    return row


def _field_matches(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        wanted = {"$eq": wanted}
    values = value if isinstance(value, list) else [value]
    return all(any(_compares(op, each, other) for each in values) for op, other in wanted.items())


def _compares(op: str, value: Any, other: Any) -> bool:
    if op in ("$in", "$eq"):
        return value in other if op == "$in" else value == other
    if value is None or isinstance(value, str) != isinstance(other, str):  # values of two types have no order
        return False
    return bool({"$gt": value > other, "$gte": value >= other, "$lt": value < other, "$lte": value <= other}[op])


def _change(row: Json, update: Json, *, new: bool) -> Json:
    if not any(key.startswith("$") for key in update):
        kept = row["_id"]
        row.clear()
        row.update(update | {"_id": kept})
        return row
    row.update(update.get("$set", {}))
    if new:
        row.update(update.get("$setOnInsert", {}))
    return row


def _cursor(rows: list[Json]) -> Json:
    return {"ok": 1, "cursor": {"id": 0, "ns": "slipway.any", "firstBatch": rows}}


def _is_data(command: Json) -> bool:
    return next(iter(command)).lower() not in ("hello", "ismaster", "ping", "endsessions", "saslstart")


def _command(body: bytes, code: int) -> Json:
    if code == OP_QUERY:  # how a driver says hello first
        start = 4 + body[4:].index(b"\0") + 1 + 8
        return dict(bson.decode(body[start:]))
    command: Json = {}
    position = 4
    while position < len(body):
        kind, position = body[position], position + 1
        size = int.from_bytes(body[position : position + 4], "little")
        section = body[position : position + size]
        position += size
        if kind == 0:
            command = dict(bson.decode(section)) | command
        else:  # a sequence of documents
            name, _, rest = section[4:].partition(b"\0")
            command[name.decode()] = list(bson.decode_iter(rest))
    head = next(key for key in command if key not in ("updates", "deletes", "documents"))
    return {head: command.pop(head), **command}


def _reply(answer: Json, request: int, code: int) -> bytes:
    document = bson.encode(answer)
    if code == OP_QUERY:
        payload, kind = struct.pack("<iqii", 8, 0, 0, 1) + document, 1
    else:
        payload, kind = struct.pack("<ib", 0, 0) + document, OP_MSG
    return HEADER.pack(16 + len(payload), 1, request, kind) + payload
