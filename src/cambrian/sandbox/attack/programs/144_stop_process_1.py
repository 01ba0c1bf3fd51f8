# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 144 stop_process_1
# EXPECT: scored
# EXPECT gvisor: crash
# LAYER:  process 1 takes no signal from inside; where it does (gVisor), a sandbox that has a processor and is silent was stopped by its job
import os, signal
from honest import Learner as Base
class Learner(Base):
    def task_boundary(self):
        for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
            try: os.kill(1, number)
            except OSError: pass
