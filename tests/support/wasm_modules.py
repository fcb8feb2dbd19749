"""WebAssembly modules in their text form, each of which does one thing when it is called."""

import json

import wasmtime

DESCRIBED = {"tools": [{"name": "act", "description": "Act.", "read_only": True}], "middleware": ["after"]}
SAYS, RESULT = 1024, 16384
"""Where a module has its texts."""
FOR_EVER = "(loop $again (br $again)) unreachable"
ENDLESS_MEMORY = """(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"""
DEEP = "(call $rest)"
DIVIDES = "(i64.extend_i32_u (i32.div_u (i32.const 1) (i32.const 0)))"
SOCKET = """(import "wasi_snapshot_preview1" "sock_accept" (func $socket (param i32 i32 i32) (result i32)))"""
OPENS = "(drop (call $socket (i32.const 3) (i32.const 0) (i32.const 0))) (i64.const 0)"
OUTSIDE = "(i64.const 0x7fffffff00000010)"


def module(body: str = "", *, imports: str = "", says: object = DESCRIBED, result: object = None) -> bytes:
    """A module that says what it has, and whose other calls run `body`, which leaves where its result is.

    Args:
        result: what it gives, if there is no body.
    """
    return bytes(
        wasmtime.wat2wasm(
            f"""(module {imports}
              (memory (export "memory") 4)
              (data (i32.const {SAYS}) "{_quoted(says)}")
              (data (i32.const {RESULT}) "{_quoted(result)}")
              (func (export "alloc") (param i32) (result i32) (i32.const 65536))
              (func $rest (result i64) {body or _place(RESULT, result)})
              (func (export "handle") (param i32 i32) (result i64)
                (if (result i64) (i32.eq (i32.load8_u (i32.const 65545)) (i32.const 100)) ;; the d of "describe"
                  (then {_place(SAYS, says)})
                  (else (call $rest)))))"""
        )
    )


def _quoted(value: object) -> str:
    return json.dumps(value).replace("\\", "\\\\").replace('"', '\\"')


def _place(at: int, value: object) -> str:
    return f"(i64.or (i64.shl (i64.const {at}) (i64.const 32)) (i64.const {len(json.dumps(value).encode())}))"
