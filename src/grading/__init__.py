"""For instructors: release the assignments and grade what comes back (not part of the engine)."""

import os
import sys
from pathlib import Path

# nbgrader starts alembic by its name: let that be the one beside this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
