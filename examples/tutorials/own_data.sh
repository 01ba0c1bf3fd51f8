# docs/tutorials/own-data.md, in an empty folder.

python make_wine.py

cambrian bench new wine.csv --label vineyard --kind class-incremental -o stream.py

cambrian bench show stream.py

cambrian --archive ./wine run --benchmarks stream.py --proposals 2

cambrian --archive ./wine status
cambrian --archive ./wine agent why @best

cambrian --archive ./wine agent export @best -o champion
