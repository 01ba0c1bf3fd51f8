# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 145 stop_process_1_and_be_busy
# EXPECT: scored
# EXPECT gvisor: crash
# LAYER:  process 1 takes no signal from inside; where it does (gVisor), a sandbox that has a processor and is silent was stopped by its job
import os, signal
from honest import Learner as Base
class Learner(Base):
    def task_boundary(self):
        if os.fork() == 0:
            while True: pass
        for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
            try: os.kill(1, number)
            except OSError: pass
