"""Pictures, by matplotlib, as files: what a notebook names as its backend may not be installed here, and to import
matplotlib would fail."""

from __future__ import annotations

import os

os.environ["MPLBACKEND"] = "agg"
