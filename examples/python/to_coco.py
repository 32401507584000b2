# SPDX-License-Identifier: Apache-2.0
"""Labels images and writes the labels of all of them as one COCO file.

Usage: python to_coco.py CHECKPOINT OUT_FOLDER IMAGE...
"""

import sys

import icseg


def main() -> None:
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    checkpoint, out, *images = sys.argv[1:]
    try:
        with icseg.load(checkpoint) as model:
            # Outlines deviate by at most one pixel, and regions of less than 30 pixels join a neighbour.
            with icseg.Export(out, "coco", model.class_names, tolerance=1.0, min_area=30) as export:
                for result in model.predict(images):
                    export.add(result)
                    print(result)
    except icseg.Error as error:
        sys.exit(f"to_coco.py: {error}")
    print(f"{out}/instances.json")


if __name__ == "__main__":
    main()
