"""What goes on in an archive, as one state: events in, `reduce` makes the next state of each.

`state` is the reducer and knows of no database; `feed` reads an archive's log for it; `lines` tells
the state in plain lines. The terminal and the replay of a recorded run draw the same state.
"""
