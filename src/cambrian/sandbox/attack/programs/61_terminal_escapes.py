# fmt: off
# ruff: noqa
# mypy: ignore-errors
# HOSTILE 61 terminal_escapes
# EXPECT: scored
# LAYER:  strip C0/C1 and ESC sequences before a CLI/TUI/HTML shows a log
from honest import Learner as Base
import sys, os
def say(*a): print(*a, file=sys.stderr, flush=True)

sys.stderr.write("\x1b[2J\x1b[H\x1b]0;owned\x07\x1b]52;c;cm0gLXJm\x07\x1b[31mSCORE 1.0\x1b[0m\r\x9b31m<script>alert(1)</script>\n")
class Learner(Base): pass
