"""The page as a PDF, printed by a browser: `python -m pipeline pdf`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from gan.errors import ReproductionError
from pipeline.results.plan import Plan
from pipeline.runtime import files

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 300


def main(out: Path | None = None) -> None:
    """ReproductionError if there is no page, no browser, or the browser prints none."""
    page = Plan.read().page
    if not page.is_file():
        raise ReproductionError(f"{page} is missing", expected="the page that a run writes",
                                remedy="`make reproduce`, or `git checkout reports` for the one that git has")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ReproductionError("no browser that prints is installed", expected=f"one of {', '.join(BROWSERS)}",
                                remedy="on Debian and Ubuntu: apt install chromium; or print the page in any browser")
    out = page.with_suffix(".pdf") if out is None else out
    with tempfile.TemporaryDirectory(prefix="pdf-") as folder:
        printed = Path(folder) / "page.pdf"
        _print(browser, page, printed, Path(folder))
        files.write_bytes(out, printed.read_bytes())
    print(f"{out} is {page} as PDF, {out.stat().st_size / 1e6:.1f} MB", flush=True)


def _print(browser: str, page: Path, printed: Path, folder: Path) -> None:
    words = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
             f"--user-data-dir={folder / 'profile'}", "--no-pdf-header-footer", f"--print-to-pdf={printed}",
             *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium refuses root its sandbox
             page.absolute().as_uri()]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
        said = ended.stderr.strip()
    except subprocess.TimeoutExpired:
        said = f"nothing in {SECONDS} s"
    if not printed.is_file() or printed.read_bytes()[:5] != b"%PDF-":
        raise ReproductionError(f"{browser} did not print {page}", expected="a PDF", found=said[-1000:],
                                remedy="open the page in a browser and print it there")
