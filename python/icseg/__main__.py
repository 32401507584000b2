# SPDX-License-Identifier: Apache-2.0
"""`python -m icseg`: the program icseg, with the same arguments and exit statuses."""

import os
import shutil
import sys

from ._library import PACKAGE


def main() -> None:
    """Replaces this process by the program: that of the package, or the one on PATH."""
    own = PACKAGE / "bin" / "icseg"
    program = os.environ.get("ICSEG_PROGRAM") or (str(own) if own.exists() else shutil.which("icseg"))
    if program is None:
        sys.exit("icseg: the package does not contain the program, and PATH does not either; install the wheel anew")
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()
