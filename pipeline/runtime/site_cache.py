"""DVC's site cache, what it remembers of files that it has hashed: in the checkout.

By default it is /var/tmp/dvc, which all users of a machine share: it may be another user's, or not be writable.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

from gan.errors import ReproductionError

VARIABLE, OPTION = "DVC_SITE_CACHE_DIR", "site_cache_dir"
"""of the environment and of DVC's configuration, section `core`, that name another place"""
FOLDER = Path(".dvc/tmp/site_cache")
LOCAL = Path(".dvc/config.local")


def folder(root: Path) -> str:
    """That of the checkout `root`; absolute, for DVC takes a relative one from wherever it is called."""
    return str(root.absolute() / FOLDER)


def keep_in_checkout() -> None:
    """Have any DVC that works in the current checkout keep it there, unless the user has named another place.

    It is named in `.dvc/config.local`, which git ignores; that of a checkout that was moved or copied is named anew.
    ReproductionError if that cannot be written.
    """
    wanted = folder(Path.cwd())
    if os.environ.get(VARIABLE) or not Path(".dvc").is_dir() or _named_here() == wanted:
        return
    from dvc.config import Config, ConfigError  # DVC is slow to import

    try:
        config = Config.from_cwd()
        if not _is_ours(config["core"].get(OPTION, wanted)):
            return
        with config.edit("local") as local:
            local.setdefault("core", {})[OPTION] = wanted
    except (ConfigError, OSError) as error:
        raise ReproductionError(f"{LOCAL} cannot be written", expected="a checkout that this user may write, with a "
                                "configuration that DVC can read", found=str(error),
                                remedy="mend what it names, then run the same command again") from error


def require_working() -> None:
    """ReproductionError if DVC cannot work in the current checkout: for its site cache, its cache or its locks."""
    if not Path(".dvc").is_dir():
        return
    from dvc.config import Config
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    place = os.environ.get(VARIABLE, "")
    try:
        place = place or str(Config.from_cwd()["core"].get(OPTION, "its own"))
        with Repo() as repo:
            for path in (repo.tmp_dir, repo.site_cache_dir, repo.cache.local_cache_dir):
                _require_writable(Path(path))
    except (DvcException, OSError, sqlite3.Error) as error:
        cure = (f"unset {VARIABLE}, or name a folder of yours" if os.environ.get(VARIABLE) else
                f"mend what it names; another site cache: `dvc config --local core.{OPTION} <a folder of yours>`")
        raise ReproductionError("DVC cannot work in this checkout", expected="folders that this user may write",
                                found=f"{error} (its site cache: {place})", remedy=cure) from error


def _require_writable(path: Path) -> None:
    while not path.exists():
        path = path.parent
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written")


def _named_here() -> str:
    """What LOCAL names, without DVC, which is slow to import."""
    try:
        found = re.search(rf"^\s*{OPTION}\s*=\s*(.+?)\s*$", LOCAL.read_text(), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1].strip("\"'") if found else ""


def _is_ours(place: str) -> bool:
    """Whether this module has named it, here or where the checkout was before."""
    return Path(place).parts[-len(FOLDER.parts):] == FOLDER.parts
