#!/usr/bin/env bash
# pydantic: a strict Literal[1] takes true and 1.0, from Python and from JSON, which a strict int refuses.
#
# Guess: strict mode converts nothing, and Literal is the narrowest type there is: Literal[1] takes the integer 1 and
#   nothing else, certainly less than int does.
# Versions: pydantic 2.14.3.
# Seen: the values of a literal are compared as Python compares, 1 == 1.0 == True, and strictness does not reach them.
#   What comes out is the literal of the annotation, not the value given: a conversion. A strict int refuses both.
# Output seen:
#   {"version": true}   strict int: refused   strict Literal[1]: 1 (int)
#   {"version": 1.0}    strict int: refused   strict Literal[1]: 1 (int)
#   {"version": "1"}    strict int: refused   strict Literal[1]: refused
#   {"version": 1}      strict int: 1 (int)   strict Literal[1]: 1 (int)
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq --no-compile --disable-pip-version-check pydantic==2.14.3

cat > literal.py <<'EOF'
import json
import sys
from typing import Literal

from pydantic import BaseModel, ValidationError


class Whole(BaseModel, strict=True):
    version: int


class One(BaseModel, strict=True):
    version: Literal[1]


def answer(model, text: str) -> str:
    """What the model makes of the document, the same from JSON and from Python."""
    answers = set()
    for validate, document in ((model.model_validate_json, text), (model.model_validate, json.loads(text))):
        try:
            value = validate(document).version
            answers.add(f"{value} ({type(value).__name__})")
        except ValidationError:
            answers.add("refused")
    return " or ".join(sorted(answers))


seen = []
for value in ("true", "1.0", '"1"', "1"):
    text = f'{{"version": {value}}}'
    seen.append((answer(Whole, text), answer(One, text)))
    print(f"{text:19} strict int: {seen[-1][0]:9} strict Literal[1]: {seen[-1][1]}")
one = "1 (int)"
if seen != [("refused", one), ("refused", one), ("refused", "refused"), (one, one)]:
    sys.exit("the behaviour has changed")
EOF
venv/bin/python literal.py
