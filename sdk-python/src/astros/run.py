"""`python -m astros.run PATH[:Class]`: serve a plugin on stdin and stdout. The host runs this."""

from __future__ import annotations

import sys

from ._serve import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
