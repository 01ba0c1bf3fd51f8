# docs/tutorials/own-mechanism.md, in a folder that holds lion.py and own_mechanism.py.

python own_mechanism.py

cambrian --archive ./mine init
cambrian --archive ./mine agent import lion-agent --on split-segments --title "Lion, with replay"

cambrian --archive ./mine run --benchmarks split-segments --proposals 1
