"""What MLflow's store holds in vain: `python -m pipeline mlflow-gc` says what can go, `--yes` frees it."""

from __future__ import annotations

import os
import subprocess
import sys

from gan.errors import ReproductionError
from pipeline.tracking import store as stores
from pipeline.tracking import unneeded

MIB = 2**20


def main(yes: bool = False) -> None:
    """Print what can go; with `yes` remove it for good. ReproductionError if the store cannot be used."""
    store = stores.store_uri()
    stores.prepare_environment()
    try:
        if stores.is_server(store):
            stores.probe(store)
        client = stores.connect(store)
        found = unneeded.find(client)
    except Exception as error:
        raise ReproductionError(f"MLflow's store {stores.without_password(store)} cannot be read",
                                expected="a database or server that answers", found=stores.reason(error),
                                remedy="see `make ui`, which opens the same one") from error
    print("\n".join(lines(found)), flush=True)
    if not found:
        return
    if not yes:
        print("nothing has been removed; `make mlflow-gc YES=1` removes all of it for good")
        return
    unneeded.delete(client, found)
    if stores.is_server(store):
        print("marked as deleted on the server; its owner frees them: mlflow gc --backend-store-uri …, "
              "where its files can be reached")
        return
    # What was listed is all that is in the stage `deleted` now, which is what this removes.
    ended = subprocess.run([sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", store],
                           env=os.environ | {"MLFLOW_TRACKING_URI": store}, capture_output=True, text=True)
    if ended.returncode:
        raise ReproductionError("`mlflow gc` failed", expected="it to remove what is marked as deleted",
                                found=(ended.stderr.strip().splitlines() or ["no word"])[-1],
                                remedy="mend what it says, then run the same command again")
    print(f"freed {size(found.size)}")


def lines(found: unneeded.Unneeded) -> list[str]:
    """What can go, with why and how large it is, and what cannot although nothing but an alias needs it."""
    shown = [f"generator    {each.name}, {size(each.size)}: {each.why}"
             + "".join(f"; with it goes {name} version {version}" for name, version in each.versions)
             for each in found.generators]
    shown += [f"run          {name.partition(' ')[2]}, {size(bytes)}: deleted" for name, bytes in found.runs.items()]
    shown += [f"experiment   {name}: deleted, with every run in it" for name in found.experiments]
    shown += [f"kept         {each.name}: {each.why}, but {each.alias} names it" for each in found.kept]
    return [*shown, f"{size(found.size)} can go" if found else "nothing can go"]


def size(count: int) -> str:
    return f"{count / MIB:.1f} MiB"
