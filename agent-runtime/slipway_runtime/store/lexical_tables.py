"""The tables of the search by words: what `migrations.py` applies for `lexical.py`."""

from collections.abc import Mapping
from types import MappingProxyType

from slipway_runtime.store.database import Engine

SEARCHED_BY_WORDS = """
ALTER TABLE chunks ADD COLUMN terms TEXT NOT NULL DEFAULT '';
ALTER TABLE index_pointers ADD COLUMN search TEXT NOT NULL DEFAULT '{}'
"""
"""`terms` are the words of a chunk as `knowledge/terms.py` makes them, separated by spaces."""

INDEX_OF_TERMS: Mapping[Engine, str] = MappingProxyType(
    {
        "postgres": """
ALTER TABLE chunks ADD COLUMN lexemes tsvector GENERATED ALWAYS AS (
    array_to_tsvector(array_append(
        array_remove(string_to_array(terms, ' '), ''), '/' || index_name || '/' || revision
    ))
) STORED;
CREATE INDEX chunks_lexemes ON chunks USING gin (lexemes)
""",
        "sqlite": """
CREATE VIRTUAL TABLE chunk_terms USING fts5(
    terms, content='chunks', content_rowid='rowid', tokenize='unicode61 remove_diacritics 0'
);
CREATE TRIGGER chunks_insert AFTER INSERT ON chunks BEGIN
    INSERT INTO chunk_terms (rowid, terms)
    VALUES (new.rowid, new.terms || ' b' || hex(new.index_name || '/' || new.revision))\\;
END;
CREATE TRIGGER chunks_delete AFTER DELETE ON chunks BEGIN
    INSERT INTO chunk_terms (chunk_terms, rowid, terms)
    VALUES ('delete', old.rowid, old.terms || ' b' || hex(old.index_name || '/' || old.revision))\\;
END;
CREATE TRIGGER chunks_update AFTER UPDATE OF terms ON chunks BEGIN
    INSERT INTO chunk_terms (chunk_terms, rowid, terms)
    VALUES ('delete', old.rowid, old.terms || ' b' || hex(old.index_name || '/' || old.revision))\\;
    INSERT INTO chunk_terms (rowid, terms)
    VALUES (new.rowid, new.terms || ' b' || hex(new.index_name || '/' || new.revision))\\;
END
""",
    }
)
"""The one thing that each engine has in its own way (`store/lexical.py`). Each chunk has its build as a term too, so
that one index narrows by both, and terms are counted without looking at chunks. A semicolon within a statement is
written with a backslash."""
