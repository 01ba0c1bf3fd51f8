"""The literature, one paper a file: what it claims, the experiment that could refute it here, and
how that went.

`claim` (what a claim is, and the rule for its verdict), `papers` (the claims), `registry` (by
name), `rig` and `agents` (what experiments run on), `language` (a tiny language
model), `running` (piece by piece), `code` (whether a result is stale), `store` (the results),
`literature` (the fifty-two papers) and `page` (docs/literature.md). docs/claims.md says how to
read, run and add one.
"""
