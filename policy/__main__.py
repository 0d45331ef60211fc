"""What the engine runs: serves the policies until it is stopped."""

import importlib
import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# The engine runs this directory as a script. It is a package, by whatever name it was copied or published under.
HERE = Path(__file__).resolve().parent
sys.path[0] = str(HERE.parent)
importlib.import_module(f"{HERE.name}.stack").listen()
pack = importlib.import_module(f"{HERE.name}.pack")
PolicyPack("event-triggered-pipelines", pack.POLICIES, EnforcementLevel.MANDATORY)
