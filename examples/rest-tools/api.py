"""A small HTTP API of a library, which asks for a key: `python examples/rest-tools/api.py`, on port 9001."""

from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

KEY = "library-key"
BOOKS = {
    "b1": {"id": "b1", "title": "The Ferry Timetable", "lent": False},
    "b2": {"id": "b2", "title": "Tides of the North Sea", "lent": False},
}


def with_key(x_api_key: Annotated[str, Header()] = "") -> None:
    """Answer only those who have the key."""
    if x_api_key != KEY:
        raise HTTPException(401, "send the key of the library as X-API-Key")


app = FastAPI(title="Library", dependencies=[Depends(with_key)])


class Loan(BaseModel):
    """A book that somebody takes home."""

    book: str
    reader: str


def _book(name: str) -> dict[str, object]:
    if name not in BOOKS:
        raise HTTPException(404, f"there is no book {name}")
    return BOOKS[name]


@app.get("/books")
def search(title: str = "") -> list[dict[str, object]]:
    """Books with these words in their title."""
    return [book for book in BOOKS.values() if title.lower() in str(book["title"]).lower()]


@app.get("/books/{book}")
def show(book: str) -> dict[str, object]:
    """One book."""
    return _book(book)


@app.post("/loans")
def lend(loan: Loan) -> dict[str, object]:
    """Lend a book."""
    book = _book(loan.book)
    if book["lent"]:
        raise HTTPException(409, f"{loan.book} is lent already")
    book["lent"] = True
    return {"book": loan.book, "reader": loan.reader, "days": 28}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=9001)
