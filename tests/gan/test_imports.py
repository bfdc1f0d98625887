"""What a plan or a page needs to know of `gan` costs no import of the libraries that compute."""

import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "pandas", "PIL", "scipy", "sklearn", "torch", "torchvision")


@pytest.mark.parametrize("module", [
    "gan.registry", "gan.datasets.registry", "gan.datasets.dataset", "gan.evaluation.settings", "gan.lessons.catalogue"
])
def test_settings_and_registries_import_no_heavy_library(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    imported = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert imported == []
