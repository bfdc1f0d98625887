"""Wheels that stand in for a package index: checked by their names, unpacked into a folder, installed nowhere."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
import zipfile
from pathlib import Path

from gan.errors import ReproductionError

NEEDED = ("pydantic", "ruamel.yaml", "safetensors")
"""Modules without which params.yaml and the data cannot be read; torch, numpy and scipy must be there already"""

_NAME = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?"
                   r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl")


def unpack(folder: Path, into: Path) -> list[str]:
    """Unpack every wheel of `folder` into `into`, to be put on sys.path. Returns the wheels' names.

    ReproductionError if the folder is missing or empty, or a wheel is torn or of another Python or platform.
    """
    wheels = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    if not wheels:
        raise ReproductionError(f"there are no wheels in {folder}", expected="a folder of *.whl files",
                                found="no such folder" if not folder.is_dir() else "no *.whl in it",
                                remedy=_download(folder))
    for wheel in wheels:
        _require_fitting(wheel)
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(into)
        except (zipfile.BadZipFile, OSError) as error:
            raise ReproductionError(f"{wheel} cannot be unpacked", expected="a whole wheel", found=str(error),
                                    remedy=_download(folder)) from error
    return [wheel.name for wheel in wheels]


def require_modules(folder: Path | None) -> None:
    """ReproductionError unless all of NEEDED can be found on sys.path."""
    lacking = [name for name in NEEDED if not _is_there(name)]
    if lacking:
        raise ReproductionError(f"this Python has no {', '.join(lacking)}",
                                expected="these packages installed, or as wheels in a folder: --wheels FOLDER",
                                found="no folder of wheels was named" if folder is None else f"not in {folder} either",
                                remedy=_download(folder or Path("wheels")))


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def _require_fitting(wheel: Path) -> None:
    match = _NAME.fullmatch(wheel.name)
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    if match is None:
        raise ReproductionError(f"{wheel} has a name that says not what it is for",
                                expected="name-version-python-abi-platform.whl", remedy="download it again")
    fits = any(_fits_python(python, match["abi"], here) for python in match["python"].split(".")) and any(
        _fits_platform(one) for one in match["platform"].split("."))
    if not fits:
        raise ReproductionError(f"{wheel} is for another Python or platform",
                                expected=f"{here} or py3, on any platform or {platform.system().lower()} "
                                         f"{platform.machine()}",
                                found=f"{match['python']}-{match['abi']}-{match['platform']}",
                                remedy=_download(wheel.parent))


def _fits_python(python: str, abi: str, here: str) -> bool:
    if python in ("py3", f"py{here[2:]}") or python == here:
        return abi in ("none", "abi3", here)
    return abi == "abi3" and re.fullmatch(r"cp3\d+", python) is not None and int(python[3:]) <= sys.version_info.minor


def _fits_platform(tag: str) -> bool:
    if tag == "any":
        return True
    system = {"linux": ("manylinux", "linux"), "darwin": ("macosx",), "windows": ("win",)}.get(
        platform.system().lower(), ())
    return tag.startswith(system) and tag.endswith(platform.machine().lower())


def _download(folder: Path) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (f"where there is an index: pip download --only-binary=:all: --no-deps --python-version {version} "
            f"--platform manylinux2014_{platform.machine()} -d {folder} pydantic pydantic_core annotated-types "
            "typing-inspection typing_extensions ruamel.yaml safetensors")
