"""Files are whole or not there, whoever looks and whatever stops their writer."""

import os
import threading
import time

import pytest

from nnlab.files import HOUR, whole


def tree(folder):
    """What the files in a folder say."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(path, text):
    with whole(path) as part:
        part.write_text(text)


def write_folder(path, text):
    with whole(path) as part:
        part.mkdir()
        (part / "file").write_text(text)


def test_other_processes_see_a_file_whole_or_not_at_all(tmp_path):
    path, size, done = tmp_path / "file", 2**25, threading.Event()
    seen = set()

    def watch():
        while not done.is_set():
            if path.exists():
                seen.add(path.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for letter in "12":  # a new file, and one that another process has just written
        write(path, letter * size)
    done.set()
    watcher.join()
    assert seen <= {size}
    assert tree(tmp_path) == {"file": "2" * size}


@pytest.mark.parametrize("kind", [write, write_folder])
def test_an_error_leaves_what_was_there(tmp_path, kind, monkeypatch):
    path = tmp_path / "result"
    kind(path, "old")
    before = tree(tmp_path)
    with pytest.raises(KeyboardInterrupt), whole(path) as part:
        part.mkdir()
        (part / "file").write_text("ha")
        raise KeyboardInterrupt
    assert tree(tmp_path) == before
    kind(path, "new")
    assert list(tree(tmp_path).values()) == ["new"]


def test_a_killed_writer_leaves_what_an_hour_later_is_removed(tmp_path):
    path = tmp_path / "a[1].txt"
    gone, recent, other = (tmp_path / f".{n}.part" for n in ("a[1].txt.x", "a[1].txt.y", "a.txt.x"))
    for folder in (gone, recent, other):
        folder.mkdir()
        (folder / "a").write_text("half")
    for folder in (gone, other):
        os.utime(folder, (long_ago := time.time() - HOUR - 60, long_ago))
    write(path, "whole")
    assert set(tree(tmp_path)) == {"a[1].txt", f"{recent.name}/a", f"{other.name}/a"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions, and few links")
def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write(link, "new")
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text() == "new"
    write(tmp_path / "fresh", "new")
    usual = tmp_path / "usual"
    usual.touch()
    assert (tmp_path / "fresh").stat().st_mode == usual.stat().st_mode


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    had_its_name = []
    monkeypatch.setattr(os, "fsync", lambda file: had_its_name.append((tmp_path / "x").exists()))
    write(tmp_path / "x", "new")
    assert had_its_name == [False]
