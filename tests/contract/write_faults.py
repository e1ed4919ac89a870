"""Write docs/faults.md from the list of planted faults."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from test_faults import PAGE, page

    PAGE.write_text(page(), encoding="utf-8", newline="\n")
