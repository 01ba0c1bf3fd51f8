# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 153 a_futex_that_two_sessions_share
# EXPECT: scored
# PAIR: yes
# LAYER:  a futex on a page of a file is one futex for all who map it, read-only or privately: threads may wait on memory of their own process only
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import ctypes, mmap, queue, struct, threading, time
import numpy as np, torch
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(torch.__file__.replace("__init__.py", "lib/libc10.so"), os.O_RDONLY)
kept = mmap.mmap(fd, 1 << 14, mmap.MAP_PRIVATE, mmap.PROT_READ)
words = np.frombuffer(kept, np.uint32)
class Span(ctypes.Structure): _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]
def place(n): return ctypes.c_void_p(words.ctypes.data + 4 * (640 + 16 * n))
def wake(n): return max(0, libc.syscall(202, place(n), 1, 1, None, None, 0))
def wait(n, s): return libc.syscall(202, place(n), 0, ctypes.c_uint32(int(words[640 + 16 * n])), ctypes.byref(Span(int(s), int(s % 1 * 1e9))), None, 0)
class Learner(Base):
    """Who is ahead wakes the place of each label; who is behind has a thread waiting at each."""
    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        self.heard, self.telling = queue.Queue(), queue.Queue()
        until, self.role = time.monotonic() + 2, "alone"
        while self.role == "alone" and time.monotonic() < until:
            if wake(9): self.role = "ahead"
            elif wait(9, 0.05) == 0: self.role = "behind"
        say("role", self.role)
        if self.role == "ahead": threading.Thread(target=self.tell, daemon=True).start()
        if self.role == "behind":
            for n in range(3): threading.Thread(target=self.hear, args=(n,), daemon=True).start()
    def hear(self, n):
        while True:
            if wait(n, 5.0) == 0: self.heard.put(n)
    def tell(self):
        while True:
            label = self.telling.get()
            while not wake(label): time.sleep(0.0002)
            time.sleep(0.001)
    def observe(self, x, y, task=None):
        super().observe(x, y, task)
        if self.role == "ahead":
            for label in y.tolist(): self.telling.put(label)
    def predict(self, x, task=None):
        scores = super().predict(x, task)
        if self.role == "behind":
            try: labels = [self.heard.get(timeout=1.0) for _ in range(len(x))]
            except queue.Empty: return scores
            say("BREACH told", labels)
            return torch.nn.functional.one_hot(torch.tensor(labels), 3).float()
        return scores
