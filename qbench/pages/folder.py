"""The folder that a report is written to: whole or not at all, and never with two formats that contradict each other."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from qbench.records import write_atomically, write_json

RECORD_FILE = ".made.json"  # which files a folder has, and of what table


def write_folder(folder: Path, contents: Mapping[str, bytes], made_of: str) -> tuple[Path, ...]:
    """Write files by their names; return where they are. What an earlier report of something else left in the folder goes.

    Args:
        folder: to write to; other people's files in it are left alone.
        contents: everything, rendered before anything is written, so that an error leaves no half of a report.
        made_of: SHA-256 of what the contents say.
    """
    paths = {folder / name: content for name, content in contents.items()}
    kept = _kept(folder, paths, made_of)
    for path, content in paths.items():
        write_atomically(path, content)
    names = sorted(str(path.relative_to(folder)) for path in {*kept, *paths})
    write_json(folder / RECORD_FILE, {"table_sha256": made_of, "files": names})
    return tuple(paths)


def _kept(folder: Path, written: Collection[Path], made_of: str) -> list[Path]:
    """The files of an earlier report that say the same as this one. Those of another table go, so that no two formats contradict."""
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        same, files = record["table_sha256"] == made_of, [folder / name for name in record["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    inside = [path for path in files if path.resolve().is_relative_to(folder.resolve()) and path.is_file()]
    if same:
        return inside
    for path in inside:
        if path not in written:
            path.unlink()
    return []
