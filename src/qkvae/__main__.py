"""``python -m qkvae`` is ``qkvae``."""

from qkvae.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
