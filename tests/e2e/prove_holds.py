"""What one machine promises under load, faults and bad input: point, bound, figure, holds or not.

    prove_holds.py [--only POINT ...]

Run it through `tools/prove holds`. The points stand in prove_speed.py, prove_large.py,
prove_faults.py, prove_dst.py and prove_input.py.
"""

import sys

import proving
import prove_dst
import prove_faults
import prove_input
import prove_large
import prove_speed

POINTS = {**prove_speed.POINTS, **prove_large.POINTS, **prove_faults.POINTS,
          **prove_dst.POINTS, **prove_input.POINTS}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
