"""Makes the simulator importable for the tests, as it is for the scripts beside them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
