"""A process that adds orders to an open dispatch, one after the other, and says after each that it was added.

python open_adder.py SETTINGS FIRST COUNT [work]

SETTINGS: a file with the settings, and the token of the provider, as JSON. With `work` it sends, too. It ends when
standard input does.
"""

import json
import sys
import threading
from pathlib import Path

from sending_kit import people

from connector import Connector

CAMPAIGN = {"name": "confirmed", "sender": "Bookshop", "message": {"text": "Hi ${name}, it is on its way: ${order}."}}
EVERYBODY = 40


def main(file: str, first: int, count: int, works: bool) -> None:
    given = json.loads(Path(file).read_text())
    stop = threading.Event()
    with Connector(given["settings"], secrets=lambda reference: given["token"]) as connector:
        worker = threading.Thread(target=connector.run, args=(stop,))
        if works:
            worker.start()
        opened = connector.open(CAMPAIGN, key="confirmed")
        rows = people(EVERYBODY)
        for order in range(first, first + count):
            added = opened.add({**rows[order % EVERYBODY], "order": f"n{order}"}, key=f"order-{order}")
            print(order, added.message_id, flush=True)
        sys.stdin.read()
        stop.set()
        if works:
            worker.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "work" in sys.argv[4:])
