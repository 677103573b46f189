"""What the original service did, and does again: point, bound, figure, holds or not.

    prove_original.py [--only POINT ...]

Run it through `tools/prove original`. The points stand in prove_v1.py, prove_sns.py,
prove_standby.py and prove_apply.py.
"""

import sys

import proving
import prove_apply
import prove_sns
import prove_standby
import prove_v1

POINTS = {**prove_v1.POINTS, **prove_sns.POINTS, **prove_standby.POINTS, **prove_apply.POINTS}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
