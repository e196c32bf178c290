"""A good component of each kind and what breaks each check of it: the good ones are those that `dd plugins new` writes.

Tests import these modules by name, and so does the fresh process in which the kit loads what was saved.
"""

import sys
from pathlib import Path

import deepdance_cli

TEMPLATES = Path(deepdance_cli.__file__).with_name("templates")
sys.path += [str(folder) for folder in sorted(TEMPLATES.glob("*/src"))]
