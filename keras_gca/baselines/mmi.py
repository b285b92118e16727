"""`python -m keras_gca.baselines.mmi`: prints the new name of this command, which has moved."""

import sys

if __name__ == "__main__":
    print("mmi: this command has moved; run python -m keras_gca.mmi", file=sys.stderr)
    sys.exit(2)
