"""The tests look at a site that was built whole, from the sources as they are."""

import os
import subprocess
import time

import pytest
import website


@pytest.fixture
def builds(tmp_path, monkeypatch):
    """Builds that take no time; the list grows by each that is asked for."""
    asked = []
    source = tmp_path / "source"
    source.touch()
    for name in ("SITE", "ASIDE", "MARK", "BUILD"):
        place = tmp_path / "_build" / getattr(website, name).relative_to(website.BUILD)
        monkeypatch.setattr(website, name, place)
    monkeypatch.setattr(website, "sources", lambda: [source])

    def run(command, **how):
        asked.append(command)
        made = website.ASIDE / "_build" / "html"
        made.mkdir(parents=True)
        (made / "index.html").write_text(f"page {len(asked)}")
        return subprocess.CompletedProcess(command, how.get("status", 0), "")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def damage(kind, monkeypatch):
    if kind == "half a build":
        (website.SITE / "index.html").write_text("pag")
    elif kind == "half removed":
        (website.SITE / "index.html").unlink()
    elif kind == "another address":
        monkeypatch.setenv("SITE_URL", "https://example.org")
    elif kind == "a newer source":
        later = time.time() + 10
        os.utime(website.sources()[0], (later, later))
    elif kind == "no site":
        website.SITE.rename(website.BUILD / "elsewhere")


@pytest.mark.parametrize(
    "kind", ["half a build", "half removed", "another address", "a newer source", "no site"]
)
def test_what_is_not_whole_is_built_again(builds, kind, monkeypatch):
    build = website._build.__wrapped__
    assert build() == build() == ""
    assert len(builds) == 1
    damage(kind, monkeypatch)
    assert build() == ""
    assert len(builds) == 2
    assert (website.SITE / "index.html").read_text() == "page 2"


def test_a_build_that_fails_leaves_the_site_as_it_was(builds, monkeypatch):
    assert website.build("html").returncode == 0
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: run(*a, **k, status=1))
    assert website.build("html").returncode == 1
    assert (website.SITE / "index.html").read_text() == "page 1"
