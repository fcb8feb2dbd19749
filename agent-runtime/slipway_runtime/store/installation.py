"""What tells this store from every other one, for marks that are left elsewhere."""

import secrets

from slipway_runtime.store.database import Database


async def installation_id(database: Database) -> str:
    """An id that was made at random when it was first asked for; the same for everybody who uses this store."""
    await database.execute(
        "INSERT INTO installation (place, id) VALUES (1, $1) ON CONFLICT (place) DO NOTHING", secrets.token_hex(8)
    )
    [row] = await database.fetch("SELECT id FROM installation WHERE place = 1")
    return str(row["id"])
