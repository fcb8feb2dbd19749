"""The tables of the store, as a numbered list of changes.

Hosts bring the tables up to date when they start; there is no separate step that could be forgotten. A released entry
is never edited: a change is a new entry at the end, and it must leave the tables usable by the version before, since
both run during an upgrade. What was applied is recorded with a digest: tables that other entries made are
refused.
"""

import hashlib

from slipway_runtime.store.database import Database, Row, StoreUnavailable
from slipway_runtime.store.lexical_tables import INDEX_OF_TERMS, SEARCHED_BY_WORDS
from slipway_runtime.store.scripts import Script, statements, text_of
from slipway_runtime.store.workflow_tables import TRIGGERS, WORKFLOWS

MAKE_MIGRATIONS = "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, digest TEXT NOT NULL)"

KNOWLEDGE = """
CREATE TABLE documents (
    index_name TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    revision TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    version TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (index_name, revision, source, name)
);
CREATE TABLE chunks (
    id TEXT PRIMARY KEY,
    index_name TEXT NOT NULL,
    revision TEXT NOT NULL,
    source TEXT NOT NULL,
    document TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    heading TEXT NOT NULL,
    start_offset BIGINT NOT NULL,
    end_offset BIGINT NOT NULL,
    text TEXT NOT NULL,
    sentences TEXT NOT NULL,
    vectors BYTEA NOT NULL
);
CREATE INDEX chunks_of_document ON chunks (index_name, revision, source, document);
CREATE TABLE index_pointers (
    index_name TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    documents BIGINT NOT NULL,
    chunks BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    synced_at DOUBLE PRECISION NOT NULL
);
CREATE TABLE pending_chunks (
    id TEXT PRIMARY KEY,
    index_name TEXT NOT NULL,
    revision TEXT NOT NULL
);
"""

CONVERSATIONS = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    agent TEXT NOT NULL,
    caller TEXT NOT NULL,
    turns BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    architecture TEXT NOT NULL DEFAULT '',
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX sessions_by_expiry ON sessions (expires);
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    session_id TEXT REFERENCES sessions (id) ON DELETE CASCADE,
    turn BIGINT,
    agent TEXT NOT NULL,
    caller TEXT NOT NULL,
    question TEXT NOT NULL,
    ask TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    ttl DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    deadline DOUBLE PRECISION NOT NULL,
    revision TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    fresh_from BIGINT NOT NULL,
    deaths BIGINT NOT NULL,
    owner TEXT NOT NULL,
    lease_until DOUBLE PRECISION NOT NULL,
    wake_at DOUBLE PRECISION,
    followed DOUBLE PRECISION,
    outcome TEXT,
    result TEXT,
    UNIQUE (session_id, turn)
);
CREATE INDEX runs_unfinished ON runs (owner) WHERE outcome IS NULL;
CREATE UNIQUE INDEX runs_one_answer ON runs (session_id) WHERE outcome IS NULL;
CREATE INDEX runs_of_caller ON runs (agent, caller, created, id);
CREATE INDEX runs_by_expiry ON runs (expires) WHERE session_id IS NULL;
CREATE TABLE events (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    number BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    batch TEXT NOT NULL,
    steps TEXT,
    finished BIGINT NOT NULL,
    PRIMARY KEY (run_id, attempt, number)
);
CREATE TABLE inputs (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    answerers TEXT NOT NULL,
    approved BIGINT,
    answer TEXT,
    given_by TEXT,
    request TEXT,
    PRIMARY KEY (run_id, id)
);
CREATE TABLE ready_revisions (
    agent TEXT NOT NULL,
    revision TEXT NOT NULL,
    seen DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (agent, revision)
);
"""
"""A session has one unfinished run at most, which `runs_one_answer` sees to. A waiting run has a `wake_at`, and its
`lease_until` is when the work on it stopped. `owner` is empty where nobody works on a run although no host died.
`followed` is when somebody last followed the run at a host that does not work on it. `fresh_from` is the first attempt
whose steps the run's present revision may use. A row of `events` may hold records of steps (`store/steps.py`) and no
event, so rows have numbers of their own. `finished` is how many of those steps have an outcome.
"""

REPORTS = """
CREATE TABLE model_usage (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    number BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    model TEXT NOT NULL,
    requests BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cost TEXT,
    PRIMARY KEY (run_id, attempt, number, ordinal)
);
CREATE VIEW agent_sessions AS
    SELECT id AS session_id, architecture AS agent_type, metadata, created AS created_at, agent, caller, turns, expires
    FROM sessions;
CREATE VIEW usage AS
    SELECT r.id AS run_id, r.session_id, r.agent, r.caller, u.model, r.outcome, r.created AS created_at,
        SUM(u.requests) AS requests, SUM(u.input_tokens) AS input_tokens, SUM(u.output_tokens) AS output_tokens,
        SUM(CAST(u.cost AS NUMERIC)) AS cost
    FROM runs r JOIN model_usage u ON u.run_id = r.id
    GROUP BY r.id, r.session_id, r.agent, r.caller, u.model, r.outcome, r.created
"""
"""For reporting tools: see docs/operations.md. Usage is stored with the events that report it (`store/usage.py`)."""

SESSIONS_OF_REVISIONS = "ALTER TABLE sessions ADD COLUMN revision TEXT NOT NULL DEFAULT ''"
"""A session belongs to the revision that answered its last question. The name is empty for one that is older."""

SUMMARIES = """
ALTER TABLE sessions ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN summarized BIGINT NOT NULL DEFAULT 0
"""
"""`summary` stands for a session's turns up to the one with the number `summarized`."""

KEPT = "ALTER TABLE sessions ADD COLUMN kept TEXT NOT NULL DEFAULT ''"
"""Where a session is kept: here if empty, or `redis:` and a digest of which. Of one in Redis the row says whose it is
and when to look again."""

CHANGES = "ALTER TABLE runs ADD COLUMN changed DOUBLE PRECISION NOT NULL DEFAULT 0"
"""When a run last ended, began to wait or stopped waiting. Less than `created` if it never did."""

RECEIVERS = """
CREATE TABLE receivers (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    config TEXT NOT NULL,
    told DOUBLE PRECISION NOT NULL,
    claimed_until DOUBLE PRECISION NOT NULL,
    failures BIGINT NOT NULL,
    PRIMARY KEY (run_id, id)
)
"""
"""Whom to tell of a run (`store/receivers.py`)."""

PLACES_OF_VECTORS = """
ALTER TABLE index_pointers ADD COLUMN vectors TEXT NOT NULL DEFAULT '{}';
"""

ANSWERS = """
ALTER TABLE runs ADD COLUMN written BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN writing_until DOUBLE PRECISION NOT NULL DEFAULT 0;
CREATE INDEX runs_unwritten ON runs (agent, changed) WHERE outcome = 'done' AND written = 0
"""
"""`written` is 1 once a run's answer is in the topic of `spec.answersTo` (`store/answers.py`). `writing_until` is how
long a host has to bring it there."""

CHUNKS_OF_FILES = """
ALTER TABLE chunks ADD COLUMN page BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chunks ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}';
ALTER TABLE chunks ADD COLUMN vector BYTEA;
ALTER TABLE chunks ADD COLUMN embedded TEXT NOT NULL DEFAULT ''
"""
"""The page that a chunk is on, what searches are narrowed by, and its own vector with a digest of what was embedded, so
that nothing is embedded twice."""

UPLOADS = """
CREATE TABLE uploads (
    index_name TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version TEXT NOT NULL,
    content BYTEA NOT NULL,
    size BIGINT NOT NULL,
    reason TEXT,
    uploaded_by TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (index_name, id),
    UNIQUE (index_name, name)
);
CREATE TABLE index_locks (
    index_name TEXT NOT NULL,
    purpose TEXT NOT NULL,
    owner TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (index_name, purpose)
);
ALTER TABLE index_pointers ADD COLUMN config TEXT NOT NULL DEFAULT ''
"""
"""Documents that people uploaded, with why one cannot be read (`store/uploads.py`), and who writes to an index now
(`store/locks.py`). `config` is what the build was made by."""

INSTALLATION = """
CREATE TABLE installation (place BIGINT PRIMARY KEY, id TEXT NOT NULL)
"""
"""What tells this store from every other one (`store/installation.py`): one row."""

EMBEDDINGS = """
ALTER TABLE index_pointers ADD COLUMN embedding TEXT NOT NULL DEFAULT '{}';
"""

FORMER_BUILDS = """
CREATE TABLE former_builds (
    index_name TEXT NOT NULL,
    revision TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    documents BIGINT NOT NULL,
    chunks BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    vectors TEXT NOT NULL,
    config TEXT NOT NULL,
    search TEXT NOT NULL,
    embedding TEXT NOT NULL,
    left_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (index_name, revision)
)
"""
"""Pointers as they were, of builds that may be served again (`store/former_builds.py`). Agents read another build since
`left_at`."""
SHARDS = """
ALTER TABLE pending_chunks ADD COLUMN writer TEXT NOT NULL DEFAULT '';
CREATE TABLE sharded_ingestions (
    index_name TEXT PRIMARY KEY,
    ingestion TEXT NOT NULL,
    shards BIGINT NOT NULL,
    publisher BIGINT
);
CREATE TABLE ingestion_shards (
    index_name TEXT NOT NULL,
    shard BIGINT NOT NULL,
    ingestion TEXT NOT NULL,
    done BIGINT NOT NULL DEFAULT 0,
    total BIGINT NOT NULL DEFAULT 0,
    chunks BIGINT NOT NULL DEFAULT 0,
    unread TEXT,
    PRIMARY KEY (index_name, shard)
)
"""
"""Ingestions that several pods do together (`store/shards.py`). `unread` is not null once a shard is complete; `writer`
tells what one shard began from what another did."""
DOCUMENT_STORES = """
ALTER TABLE documents ADD COLUMN kept TEXT NOT NULL DEFAULT '';
CREATE TABLE unsettled_documents (
    index_name TEXT NOT NULL,
    revision TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (index_name, revision, source, name)
)
"""
"""Where the text of a document is, if not here, and the documents that an ingestion has not taken yet, or could not
read (`store/document_states.py`)."""

MIGRATIONS: tuple[Script, ...] = (
    KNOWLEDGE,
    CONVERSATIONS,
    REPORTS,
    SESSIONS_OF_REVISIONS,
    SUMMARIES,
    KEPT,
    CHANGES,
    RECEIVERS,
    WORKFLOWS,
    TRIGGERS,
    PLACES_OF_VECTORS,
    ANSWERS,
    CHUNKS_OF_FILES,
    UPLOADS,
    SEARCHED_BY_WORDS,
    INDEX_OF_TERMS,
    INSTALLATION,
    EMBEDDINGS,
    FORMER_BUILDS,
    SHARDS,
    DOCUMENT_STORES,
)


def schema() -> str:
    """A digest of all entries, for the name of a folder that may be made anew."""
    return _digest("".join(map(text_of, MIGRATIONS)))


async def migrate(database: Database, *, remedy: str) -> None:
    """Apply what is missing. The caller holds whatever lock keeps others from doing the same, and one transaction.

    Args:
        remedy: what a person can do about tables that are not ours.

    Raises:
        StoreUnavailable: if the tables were made by other entries than these.
    """
    await database.execute(MAKE_MIGRATIONS)
    applied = await database.fetch("SELECT * FROM migrations ORDER BY version")
    if not _are_ours(applied):
        raise StoreUnavailable(f"the store's tables were made by a version that this one cannot follow: {remedy}")
    for version, script in enumerate(MIGRATIONS[len(applied) :], start=len(applied) + 1):
        for statement in statements(script, database.engine):
            await database.execute(statement)
        await database.execute(
            "INSERT INTO migrations (version, digest) VALUES ($1, $2)", version, _digest(text_of(script))
        )


def _are_ours(applied: list[Row]) -> bool:
    """Whether what was applied begins as our list does, or the other way round: a newer version may have added some."""
    return all(row.get("digest") == _digest(text_of(script)) for row, script in zip(applied, MIGRATIONS, strict=False))


def _digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()
