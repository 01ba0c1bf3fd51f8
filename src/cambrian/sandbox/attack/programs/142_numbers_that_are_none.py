# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 142 numbers_that_are_none
# EXPECT: protocol
# LAYER:  a description is JSON with finite numbers of 64 bits and each key once, before anybody reads it
import json, socket, struct
import cambrian.sandbox.runner.frames as frames
from honest import Learner as Base
honestly = frames.FrameSocket.send
TEXTS = (b'{"flops": NaN, "state_bytes": -Infinity}', b'{"flops": 1e999, "state_bytes": 1}', b'{"flops": ' + b"9" * 4000 + b', "state_bytes": 1}', b'{"flops": 1, "flops": 2, "state_bytes": 3}')
def send(self, kind, sequence=0, meta=None, array=None, **more):
    if kind != frames.Kind.USAGE: return honestly(self, kind, sequence, meta, array, **more)
    text = TEXTS[meta["flops"] % len(TEXTS)]
    self.socket.setblocking(True)
    self.socket.sendall(frames.HEADER.pack(b"CBR1", kind, 0, 0, 0, sequence, len(text), 0, 0, 0, 0, 0) + text)
frames.FrameSocket.send = send
class Learner(Base): pass
