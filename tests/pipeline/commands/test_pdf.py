"""pipeline.commands.pdf, with programs that take the browser's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gan.errors import ReproductionError
from pipeline.commands import pdf

PRINTS = """#!/bin/sh
for word; do
  case "$word" in --print-to-pdf=*) printf '%%PDF-1.4' > "${word#*=}";; esac
  last="$word"
done
test -f "${last#file://}"
"""
FAILS = "#!/bin/sh\necho no display >&2\nexit 1\n"


@pytest.fixture(autouse=True)
def here(place, monkeypatch, tmp_path_factory):
    """A folder with a page, and a PATH of its own; where to put a browser."""
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(pdf, "BROWSERS", ("browser-of-the-test",))
    Path("reports/index.html").write_text("<p>a page</p>")

    def put(script: str) -> None:
        (folder / "browser-of-the-test").write_text(script)
        (folder / "browser-of-the-test").chmod(0o755)
    return put


def test_the_browser_prints_the_page_beside_it(here, capsys):
    here(PRINTS)
    pdf.main()
    assert Path("reports/index.pdf").read_bytes().startswith(b"%PDF-")
    assert "reports/index.pdf is reports/index.html as PDF" in capsys.readouterr().out


def test_it_goes_where_it_is_asked_for(here):
    here(PRINTS)
    pdf.main(Path("elsewhere/page.pdf"))
    assert Path("elsewhere/page.pdf").read_bytes().startswith(b"%PDF-")
    assert not Path("reports/index.pdf").exists()


def test_without_a_browser_it_says_what_to_install():
    with pytest.raises(ReproductionError, match=r"no browser[\s\S]*apt install chromium"):
        pdf.main()


def test_a_browser_that_prints_nothing_is_told_with_what_it_says(here):
    here(FAILS)
    with pytest.raises(ReproductionError, match=r"did not print reports/index\.html[\s\S]*no display"):
        pdf.main()
    assert not Path("reports/index.pdf").exists()


def test_without_a_page_there_is_nothing_to_print(here):
    here(PRINTS)
    Path("reports/index.html").unlink()
    with pytest.raises(ReproductionError, match=r"reports/index\.html is missing[\s\S]*make reproduce"):
        pdf.main()
