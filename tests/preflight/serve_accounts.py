"""Makes a good account for each line of its standard input, breaks it as the line says, and describes it.

Arguments: the endpoints of ministack and of moto. A line is the name of a break, or `good`; the answer is one
line of JSON. It ends with its standard input.
"""

import json
import sys

from breaks import BREAKS
from good_account import GoodAccount, clients


def main():
    ministack, moto = sys.argv[1:3]
    served = clients(ministack, moto)
    for number, line in enumerate(sys.stdin):
        name = line.strip()
        if name == "list":
            answer = list(BREAKS)
        else:
            account = GoodAccount(served, f"ci-{number}")
            changed = BREAKS[name](account) if name != "good" else None
            answer = account.ids | {"changed": changed or {}}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
