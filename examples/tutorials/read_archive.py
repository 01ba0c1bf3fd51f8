"""Five questions to an archive, with pandas: `python read_archive.py ARCHIVE`."""

import sys

import cambrian

with cambrian.open(sys.argv[1]) as archive:
    # Every member of the tree, and everything that was ever proposed.
    members = archive.agents().frame()
    everyone = archive.agents(everyone=True).frame()
    print(everyone["status"].value_counts())

    # The best ten, with their intervals.
    best = archive.sql("SELECT number, title, score, lower, upper FROM leaderboard LIMIT 10")
    print(best.frame().to_string(index=False))

    # How much each member gained over its parent.
    scores = members.set_index("id")["score"]
    members["gain"] = members["score"] - members["parent"].map(scores)
    print(members.nlargest(5, "gain")[["number", "gain", "title"]].to_string(index=False))

    # Scores by agent and benchmark; a failure has no score, so it is counted and not averaged.
    evaluations = archive.evaluations().frame()
    full = evaluations[evaluations["stage"] == "full"]
    print(full.pivot_table("score", "number", "benchmark").round(3).head(10))
    print(evaluations["verdict"].value_counts())

    # What a variant is turned away for.
    gates = archive.sql("SELECT gate, verdict, count(*) AS variants FROM gates GROUP BY 1, 2")
    print(gates.frame().pivot_table("variants", "gate", "verdict", fill_value=0))
