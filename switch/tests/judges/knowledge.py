"""What `schemathesis` cannot guess: which payments there are, and what a sealed credential looks like.

Loaded by `judge.py`. Half of the well-formed ids that it draws become ids of real payments, those in PAYMENTS.
"""

import os
import re

import schemathesis
from hypothesis import strategies as st

PAYMENTS = os.environ.get("PAYMENTS", "").split()
PART = st.text("ABCXYZabcxyz0189-_", max_size=40)


@schemathesis.hook
def flatmap_path_parameters(ctx, path_parameters):
    drawn = (path_parameters or {}).get("id")
    if PAYMENTS and isinstance(drawn, str) and re.fullmatch("pay_[0-9a-z]{26}", drawn):
        return st.sampled_from([drawn] * len(PAYMENTS) + PAYMENTS).map(lambda id: path_parameters | {"id": id})
    return st.just(path_parameters)


schemathesis.openapi.media_type("application/jose", st.lists(PART, min_size=5, max_size=5).map(lambda parts: ".".join(parts).encode()))
