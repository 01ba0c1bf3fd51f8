"""An archive in the terminal: `cambrian top`, and a recorded run as `cambrian demo`.

`source` reads an archive, `recording` replays a run; `app` draws either, and knows neither.
"""
