"""`python -m kijko.local.stripe PORT STATE_FILE`, the secret key in KIJKO_STRIPE_SECRET_KEY."""

import os
import sys
from pathlib import Path

import uvicorn

from kijko.local.ports import HOST
from kijko.local.stripe.app import App
from kijko.local.stripe.store import Store

if __name__ == "__main__":
    app = App(Store(Path(sys.argv[2])), os.environ["KIJKO_STRIPE_SECRET_KEY"])
    uvicorn.run(app, host=HOST, port=int(sys.argv[1]), access_log=False, log_level="warning")
