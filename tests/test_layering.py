"""The rules about the source tree that a compiler doesn't check."""

import pathlib
import re

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
LINES_MAX = 800
VAGUE_NAMES = re.compile(r"(^|_)(utils?|commons?|helpers?|managers?|impl|misc)($|_)")
# Said in two parts, or this file would fail itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|(<[^>]+>))', re.MULTILINE)


def source_files():
    folders = ("src", "include", "tests", "bench", "fuzz", "examples", "demo", "scripts", "cmake")
    for folder in folders:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            parts = path.relative_to(REPOSITORY).parts
            generated = {"__pycache__", "results", "lake", "state", "postgres"} & set(parts[:-1])
            if path.is_file() and not (generated and parts[0] in ("demo", "bench")) and "__pycache__" not in parts:
                yield path


def read_table():
    """tests/layering.txt: what each room may include, and who may include each library."""
    rooms, libraries = {}, {}
    for line in (REPOSITORY / "tests/layering.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, allowed = line.rsplit(":", 1)
            (libraries if name.startswith("<") else rooms)[name] = set(allowed.split())
    return rooms, libraries


def includes(path):
    for quoted, bracketed in INCLUDE.findall(path.read_text()):
        yield quoted, bracketed


def is_test(path):
    return path.stem.endswith(("_test", "_fixture", "_benchmark")) or "testing" in path.parts


def test_table_names_every_room_and_has_no_circle():
    rooms, libraries = read_table()
    assert set(rooms) >= {path.name for path in (REPOSITORY / "src").iterdir() if path.is_dir()}
    for room, allowed in rooms.items():
        assert allowed - {"*"} <= set(rooms), room
        for other in allowed - {"*"}:
            assert room not in rooms[other], f"{room} and {other} include each other"
    assert set().union(*libraries.values()) <= set(rooms)


def test_rooms_include_only_what_the_table_allows():
    rooms, libraries = read_table()
    wrong = []
    for path in source_files():
        parts = path.relative_to(REPOSITORY).parts
        if parts[0] != "src" or path.suffix not in (".h", ".cc"):
            continue
        room = parts[1]
        allowed = rooms[room] | {room, "firn"} | ({"testing"} if is_test(path) else set())
        for quoted, bracketed in includes(path):
            target = quoted.split("/")[0]
            if quoted and "/" not in quoted:
                wrong.append(f'{"/".join(parts)}: "{quoted}" should be named from src/')
            elif quoted and target not in allowed and "*" not in allowed:
                wrong.append(f'{"/".join(parts)}: "{quoted}": {room} may not include {target}')
            for library, users in libraries.items():
                if bracketed.startswith(library) and room not in users and not is_test(path):
                    wrong.append(f'{"/".join(parts)}: {bracketed}: only {", ".join(sorted(users))} may')
    assert not wrong, "\n" + "\n".join(wrong)


def test_public_headers_include_only_public_headers():
    wrong = [
        f"{path.name}: {quoted}"
        for path in (REPOSITORY / "include").rglob("*.h")
        for quoted, _ in includes(path)
        if quoted and not quoted.startswith("firn/")
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("suffixes", [(".h", ".cc"), (".py", ".java", "")], ids=["c++", "scripts"])
def test_no_file_is_too_long_or_vaguely_named_or_unfinished(suffixes):
    wrong = []
    for path in source_files():
        if path.suffix not in suffixes:
            continue
        name = str(path.relative_to(REPOSITORY))
        text = path.read_text(errors="replace")
        if (lines := text.count("\n")) > LINES_MAX:
            wrong.append(f"{name}: {lines} lines, more than {LINES_MAX}")
        if VAGUE_NAMES.search(path.stem):
            wrong.append(f"{name}: a name that says what is in it, please")
        if found := UNFINISHED.search(text):
            wrong.append(f"{name}: {found[0]}")
    assert not wrong, "\n" + "\n".join(wrong)
