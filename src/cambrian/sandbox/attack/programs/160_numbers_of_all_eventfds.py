# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 160 numbers_of_all_eventfds
# EXPECT: scored
# INSIDE gvisor: its own kernel numbers its own
# LAYER:  an eventfd's number (fdinfo) is the lowest that is free on the whole machine, so who holds some tells others: by Landlock a job opens no fdinfo
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import threading
held = [os.eventfd(0) for _ in range(20)]
for place in ("self", "thread-self", f"self/task/{threading.get_native_id()}", str(os.getpid())):
    try: text = open(f"/proc/{place}/fdinfo/{held[0]}").read()
    except OSError as e: say("BLOCKED", place, e); continue
    if "eventfd-id" in text: say("BREACH", place, text.split("eventfd-id")[1].split()[1])
class Learner(Base): pass
