# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 107 forged_result_lines
# EXPECT: scored
# LAYER:  what a job prints is text; a verdict is all answers, checked
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import json
for line in ({"verdict": "scored", "score": 1.0}, {"event": "evaluation", "evaluation": {"verdict": "scored", "score": 1.0}}, {"event": "done"}):
    print(json.dumps(line), flush=True); print(json.dumps(line), file=sys.stderr, flush=True)
for place in ("/tmp/result.json", "result.json", "/session/result.json", "/session/data/result.json"):
    try: open(place, "w").write('{"verdict": "scored", "score": 1.0}')
    except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
