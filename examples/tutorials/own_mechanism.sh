# docs/tutorials/own-mechanism.md, in a folder that holds lion.py and own_mechanism.py.

python own_mechanism.py

cambrian --archive ./mine init
cambrian --archive ./mine agent import lion-agent --title "Lion, with replay"

cambrian --archive ./mine run --benchmarks label-drift --proposals 1
