"""The tables of workflows and what begins them: what `migrations.py` applies for `workflows/`."""

WORKFLOWS = """
CREATE TABLE workflow_definitions (
    digest TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    spec TEXT NOT NULL
);
CREATE TABLE workflow_runs (
    id TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    definition TEXT NOT NULL REFERENCES workflow_definitions (digest),
    caller TEXT NOT NULL,
    started_by TEXT NOT NULL,
    statement TEXT NOT NULL,
    trace TEXT NOT NULL,
    input TEXT NOT NULL,
    state TEXT NOT NULL,
    segment BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    worker TEXT NOT NULL,
    news BIGINT NOT NULL,
    last_event BIGINT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    changed DOUBLE PRECISION NOT NULL,
    deadline DOUBLE PRECISION NOT NULL,
    wake_at DOUBLE PRECISION,
    ended DOUBLE PRECISION,
    output TEXT,
    reason TEXT,
    message TEXT,
    failed_step TEXT,
    retry_of TEXT
);
CREATE INDEX workflow_runs_listed ON workflow_runs (workflow, created, id);
CREATE INDEX workflow_runs_unfinished ON workflow_runs (state, changed) WHERE ended IS NULL;
CREATE TABLE workflow_steps (
    run_id TEXT NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    place BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    agent TEXT,
    details TEXT NOT NULL,
    output TEXT,
    reason TEXT,
    message TEXT,
    began DOUBLE PRECISION,
    ended DOUBLE PRECISION,
    not_before DOUBLE PRECISION,
    PRIMARY KEY (run_id, name, place)
);
CREATE TABLE workflow_events (
    run_id TEXT NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);
CREATE TABLE workflow_signals (
    run_id TEXT NOT NULL REFERENCES workflow_runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    sent_by TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_id, name)
);
CREATE TABLE workflow_workers (
    id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    beat DOUBLE PRECISION NOT NULL
)
"""
"""Runs of workflows (`workflows/runs.py`). Of a step that has elements, `place` is the element's and -1 the whole's.
A row of `workflow_steps` is committed before its step acts, so one that is `running` when its worker is gone may have
acted. `segment` counts how often a run was given to the engine, `attempt` how often a worker took it, and only the last
one may write. `news` counts what came from outside: decisions, events, and what a person settled."""

TRIGGERS = """
CREATE TABLE workflow_schedules (
    workflow TEXT NOT NULL,
    name TEXT NOT NULL,
    schedule TEXT NOT NULL,
    made DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (workflow, name)
);
CREATE TABLE workflow_poison (
    workflow TEXT NOT NULL,
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    value TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (workflow, name, place)
);
ALTER TABLE workflow_runs ADD COLUMN published BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workflow_runs ADD COLUMN publishing_until DOUBLE PRECISION NOT NULL DEFAULT 0;
CREATE INDEX workflow_runs_unpublished ON workflow_runs (workflow, created) WHERE last_event > published
"""
"""What begins runs by itself (`workflows/triggers/`): up to which time those of a schedule were begun, and messages
that began none. `published` is the last event of a run that was written to a topic (`workflows/publishing.py`)."""
