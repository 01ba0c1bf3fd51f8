# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 141 more_entries_than_can_be_removed
# EXPECT: scored|memory
# LAYER:  cleaning looks at the clock for each entry and keeps no listing; what is too much spends the session, and the verdict stands
import os, time
from honest import Learner as Base
os.mkdir("/tmp/many"); os.mkdir("/tmp/shut")
def litter(number, seconds=0.5):
    ends = time.monotonic() + seconds
    try:
        while time.monotonic() < ends:
            for number in range(number + 1, number + 500):
                if number % 4: os.close(os.open(f"/tmp/many/{number:x}", os.O_CREAT))
                else: os.mkdir(f"/tmp/shut/{number:x}", 0)
    except OSError:
        pass
class Learner(Base):
    calls = 0
    def observe(self, x, y, task=None):
        Learner.calls += 1
        if Learner.calls % 7 == 0 and Learner.calls < 50: litter(Learner.calls * 10**7)
        super().observe(x, y, task)
    def task_boundary(self):
        os.chmod("/tmp/shut", 0); os.chmod("/tmp/many", 0)
